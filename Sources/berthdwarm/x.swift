import TOMLKit
import ArgumentParser
