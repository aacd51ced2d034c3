// One plugin's code in a process of its own. Order is everything here: the hello is read, the process seals itself, only then
// is the plugin's library opened (its constructors already run plugin code), then the seal is drawn tighter, then work is
// taken. Descriptors: 2 standard error, 3 the socket to the daemon, 4 the sealed library, 5 the progress page.

import BerthLoader
import BerthModel
import BerthWire
import CBerthLinux
import Glibc

let link = DaemonLink(socket: 3)
berth_limit_malloc_arenas()

guard case .hello(let hello)? = link.receive()?.message, hello.version == WireLimits.version else {
    link.refuse(
        "worker_version", "the worker speaks protocol \(WireLimits.version) and was not greeted in it",
        hint: "install berthd and berth-worker of one release")
}
guard let progress = ProgressPage(descriptor: 5) else {
    link.refuse("system", "the progress page can't be mapped", hint: "berth-worker is started by berthd only")
}
Sandbox.beforeLoad(hello, link)

let plugin: LoadedPlugin
do throws(LoadRefusal) {
    plugin = try LoadedPlugin.load(try SealedImage(adopting: 4), named: hello.provider)
} catch {
    link.refuse(error.cause.code, error.error.message, hint: error.hint)
}
Sandbox.afterLoad(hello, link)

let support = berth_sandbox_probe()
link.send(
    .ready(landlockABI: support.landlock_abi, hasSeccomp: support.has_seccomp == 1, interfaces: plugin.offered.sorted()), operation: 0)
OperationDesk(plugin: plugin, link: link, progress: progress).serve()
