// SPDX-License-Identifier: BSD-3-Clause
//
// The system calls of the event loop and its connections, one function each. EINTR is retried here,
// and `errno` is read before anything else can run; failures come back as `SystemError`.

import Glibc
import Memory
import Platform

/// A failed call: its name and errno.
public struct SystemError: Error, CustomStringConvertible, Equatable {
    public let call: String
    public let code: Int32
    public var description: String { "\(call): \(reason)" }
    /// A negative code is getaddrinfo's.
    public var reason: String {
        if code < 0, let text = unsafe gai_strerror(code) { return unsafe String(cString: text) }
        return unsafe String(cString: strerror(code))
    }

    static func last(_ call: String) -> SystemError { SystemError(call: call, code: errno) }
}

/// What a read or write on a non-blocking descriptor came to.
public enum Transfer: Equatable {
    case bytes(Int)
    /// The peer closed (reads only).
    case end
    case wouldBlock
    case failed(Int32)
}

enum SystemCalls {
    /// read(2).
    static func read(_ fd: Int32, into place: Address, _ count: Int) -> Transfer {
        transfer(isRead: true) { unsafe Glibc.read(fd, place.pointer, count) }
    }

    /// write(2).
    static func write(_ fd: Int32, _ bytes: Bytes) -> Transfer {
        transfer(isRead: false) { unsafe Glibc.write(fd, bytes.start.pointer, bytes.count) }
    }

    /// recv(2), for sockets only: it spares the file layer of read(2), 3 % of a small request.
    @inline(__always)
    static func receive(_ fd: Int32, into place: Address, _ count: Int) -> Transfer {
        transfer(isRead: true) {
            unsafe Glibc.recv(fd, place.pointer, count, Int32(MSG_DONTWAIT))
        }
    }

    /// send(2), for sockets only; see `receive`.
    @inline(__always)
    static func send(_ fd: Int32, _ bytes: Bytes) -> Transfer {
        transfer(isRead: false) {
            unsafe Glibc.send(
                fd, bytes.start.pointer, bytes.count,
                Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
    }

    @inline(__always)
    private static func transfer(isRead: Bool, _ call: () -> Int) -> Transfer {
        while true {
            let n = call()
            if n > 0 || n == 0 && !isRead { return .bytes(n) }
            if n == 0 { return .end }
            let code = errno
            if code == EINTR { continue }
            return code == EAGAIN ? .wouldBlock : .failed(code)
        }
    }

    static func close(_ fd: Int32) { _ = Glibc.close(fd) }

    static func setNonBlocking(_ fd: Int32) throws(SystemError) {
        let flags = fcntl(fd, F_GETFL)
        if flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 { throw .last("fcntl") }
    }

    @discardableResult
    static func setOption(_ fd: Int32, _ level: Int32, _ name: Int32, _ value: Int32) -> Bool {
        var value = value
        return unsafe setsockopt(fd, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
    }

    /// SO_KEEPALIVE with Redis's rhythm: probes after `interval` s, every third of it, three lost ones end it.
    static func setKeepalive(_ fd: Int32, interval: Int) {
        setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        let tcp = Int32(IPPROTO_TCP)
        setOption(fd, tcp, TCP_KEEPIDLE, Int32(interval))
        setOption(fd, tcp, TCP_KEEPINTVL, Int32(max(1, interval / 3)))
        setOption(fd, tcp, TCP_KEEPCNT, 3)
    }

    static func setNoDelay(_ fd: Int32, _ on: Bool) {
        setOption(fd, Int32(IPPROTO_TCP), TCP_NODELAY, on ? 1 : 0)
    }

    /// The name of a TCP socket's congestion control; nil where it can't be told.
    static func congestionControl(_ fd: Int32) -> String? {
        // TCP_CA_NAME_MAX, with the zero at its end.
        var name = [CChar](repeating: 0, count: 16)
        var size = socklen_t(name.count)
        guard unsafe getsockopt(fd, Int32(IPPROTO_TCP), TCP_CONGESTION, &name, &size) == 0 else {
            return nil
        }
        return text(name)
    }

    /// False when the system has none of that name, or keeps it for the privileged.
    @discardableResult
    static func setCongestionControl(_ fd: Int32, _ name: String) -> Bool {
        let text = Array(name.utf8)
        return unsafe setsockopt(
            fd, Int32(IPPROTO_TCP), TCP_CONGESTION, text, socklen_t(text.count)) == 0
    }

    /// Gives `attempt` a stream socket for each address that `host` (nil: all of ours) and `port` have, until
    /// one succeeds; the socket of a failed attempt is closed. Throws the last failure.
    private static func eachAddress(
        _ host: String?, port: Int, family: Int32, flags: Int32, unresolved: Int32,
        _ attempt: (_ socket: Int32, UnsafeMutablePointer<addrinfo>) -> SystemError?
    ) throws(SystemError) -> Int32 {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = family
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = flags
        var list: UnsafeMutablePointer<addrinfo>?
        let found = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard found == 0, let first = unsafe list else {
            let code = found < 0 && found != EAI_SYSTEM ? found : unresolved
            throw SystemError(call: "getaddrinfo", code: code)
        }
        defer { unsafe freeaddrinfo(first) }
        var failure = SystemError(call: "getaddrinfo", code: unresolved)
        var next: UnsafeMutablePointer<addrinfo>? = unsafe first
        while let info = unsafe next {
            unsafe next = info.pointee.ai_next
            let fd = unsafe socket(
                info.pointee.ai_family,
                info.pointee.ai_socktype | Int32(SOCK_NONBLOCK.rawValue)
                    | Int32(SOCK_CLOEXEC.rawValue), info.pointee.ai_protocol)
            if fd < 0 {
                failure = .last("socket")
                continue
            }
            guard let fault = unsafe attempt(fd, info) else { return fd }
            failure = fault
            close(fd)
        }
        throw failure
    }

    /// A listening TCP socket on `address` (IPv4 or IPv6 text, a name, or nil for all) and `port`.
    static func listenTCP(_ address: String?, port: Int, backlog: Int, family: Int32)
        throws(SystemError)
        -> Int32
    {
        try unsafe eachAddress(
            address, port: port, family: family, flags: AI_PASSIVE, unresolved: EADDRNOTAVAIL
        ) { fd, info in
            setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
            if unsafe info.pointee.ai_family == AF_INET6 {
                setOption(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
            }
            let bound = unsafe bind(fd, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0
            return bound && listen(fd, Int32(backlog)) == 0 ? nil : .last("bind")
        }
    }

    /// A listening UNIX socket at `path`; a stale one there is removed first.
    static func listenUnix(_ path: String, permissions: UInt32, backlog: Int) throws(SystemError)
        -> Int32
    {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        let text = Array(path.utf8)
        guard text.count < room else { throw SystemError(call: "bind", code: ENAMETOOLONG) }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { place in
            unsafe place.copyBytes(from: text)
        }
        unsafe _ = unlink(path)
        let fd = socket(
            AF_UNIX,
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
                | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw .last("socket") }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(fd, $0, size)
            }
        }
        // Nobody can connect before it listens, and then its permissions hold.
        if bound == 0, permissions != 0 { unsafe _ = chmod(path, mode_t(permissions)) }
        guard bound == 0, listen(fd, Int32(backlog)) == 0 else {
            let failure = SystemError.last("bind")
            close(fd)
            throw failure
        }
        return fd
    }

    /// accept4(2), non-blocking and close-on-exec. Nil: none waits (or it is gone again).
    static func accept(_ fd: Int32) throws(SystemError) -> Int32? {
        while true {
            let peer = redwing_accept(fd)
            if peer >= 0 { return peer }
            let code = -peer
            if code == EINTR { continue }
            if code == EAGAIN || code == ECONNABORTED { return nil }
            throw SystemError(call: "accept", code: code)
        }
    }

    /// The text of one end of a socket, as CLIENT LIST shows it: address and port, or nil for UNIX.
    static func endpoint(_ fd: Int32, peer: Bool) -> (ip: String, port: Int)? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                address -> (String, Int)? in
                let done =
                    unsafe peer ? getpeername(fd, address, &size) : getsockname(fd, address, &size)
                guard done == 0 else { return nil }
                let family = unsafe Int32(address.pointee.sa_family)
                guard family == AF_INET || family == AF_INET6 else { return nil }
                var host = [CChar](repeating: 0, count: 64)
                var service = [CChar](repeating: 0, count: 16)
                guard
                    unsafe getnameinfo(
                        address, size, &host, 64, &service, 16, NI_NUMERICHOST | NI_NUMERICSERV)
                        == 0
                else { return nil }
                return (text(host), Int(text(service)) ?? 0)
            }
        }
    }

    private static func text(_ chars: [CChar]) -> String {
        String(decoding: chars.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Starts a non-blocking connect, from the address `source` where that can be had. The socket is
    /// writable when it succeeded or failed.
    static func connect(_ host: String, port: Int, from source: String? = nil) throws(SystemError)
        -> Int32
    {
        try unsafe eachAddress(
            host, port: port, family: AF_UNSPEC, flags: 0, unresolved: EHOSTUNREACH
        ) { fd, info in
            if let source { unsafe bindSource(fd, source, info.pointee.ai_family) }
            let begun = unsafe Glibc.connect(fd, info.pointee.ai_addr, info.pointee.ai_addrlen)
            return begun == 0 || errno == EINPROGRESS ? nil : .last("connect")
        }
    }

    /// Binds a socket that will connect to one of our own addresses; without it the system chooses.
    private static func bindSource(_ fd: Int32, _ source: String, _ family: Int32) {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = family
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(source, nil, &hints, &list) == 0, let first = unsafe list else {
            return
        }
        setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        unsafe _ = bind(fd, first.pointee.ai_addr, first.pointee.ai_addrlen)
        unsafe freeaddrinfo(first)
    }

    /// The result of a non-blocking connect: 0 or errno.
    static func socketError(_ fd: Int32) -> Int32 {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 ? code : errno
    }
}
