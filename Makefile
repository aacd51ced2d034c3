# Berth: build, run, test. Every target sets up what it needs on a bare Debian 12 with only the Swift toolchain.

CONFIGURATION ?= release
PREFIX ?= /usr
DESTDIR ?=
JOBS ?= $(shell nproc)

.PHONY: help run build test test-release crash soak bench fuzz format install deb dependencies bundles-debug clean

help:
	@echo "make run      build release, start the daemon with a demo workspace and mock providers"
	@echo "              (BERTH_RUN_SECONDS=30 make run ends by itself and reports)"
	@echo "make build    release binaries in .build/release, plugin bundles in .build/bundles"
	@echo "make test     everything that must hold, in one run"
	@echo "make test-release  the integration tests and make run's check against release binaries"
	@echo "make crash    the long crash suite: random kill -9, every kill point, power cuts"
	@echo "make soak     two hours of traffic beside a plugin that misbehaves: what grows, what is missing (SECONDS=N)"
	@echo "make bench    the lanes of Benchmarks/README.md beside their baselines"
	@echo "make fuzz     parsers of untrusted bytes, 20 s each, with address checks"
	@echo "make format   swift-format over all sources"
	@echo "make deb      a Debian package in .build"
	@echo "make install  binaries, plugins, units, configuration below DESTDIR"

dependencies:
	@Scripts/install-dependencies

build: dependencies
	swift build -c release -j $(JOBS)
	@Scripts/make-bundles release .build/bundles

run: build
	@Scripts/demo

test: dependencies
	@Scripts/test

test-release: dependencies
	@Scripts/test-release

crash: dependencies
	swift build -j $(JOBS)
	@Scripts/make-bundles debug .build/bundles-debug
	python3 Tests/Crash/crash.py --kills 200 --power-cuts 20

soak: build
	python3 Tests/Soak/soak.py --seconds $(or $(SECONDS),7200)

bench: build
	@Benchmarks/run

fuzz: dependencies
	@Scripts/fuzz 20

format:
	swift format --in-place --recursive --parallel Package.swift Sources Tests Plugins plugin-sdk/swift Benchmarks Fuzz

install:
	@Scripts/install "$(DESTDIR)" "$(PREFIX)"

deb: build
	@Scripts/deb

clean:
	rm -rf .build .build-* .berth
