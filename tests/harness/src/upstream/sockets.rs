//! Ports of the loopback address: taken, kept, listened on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

use crate::error::HarnessError;

/// Binds a port that nobody else has, and whose owner may bind it again later.
pub(super) fn bind_any() -> Result<Socket, HarnessError> {
    let bind = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // With SO_REUSEADDR set already, the kernel might choose a port that somebody else
        // holds without listening, such as a `Refusing`.
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.set_reuse_address(true)?;
        Ok(socket)
    };
    bind().map_err(HarnessError::io("bind a port"))
}

/// Binds a port whose earlier connections may linger in TIME_WAIT: that is permitted when
/// both they (who have it from their listener) and the new socket have SO_REUSEADDR.
pub(super) fn bind_again(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

pub(super) fn listen(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

pub(super) fn local_address(socket: &Socket) -> Result<SocketAddr, HarnessError> {
    let addr = socket
        .local_addr()
        .map_err(HarnessError::io("ask for a bound port"))?;
    addr.as_socket().ok_or_else(|| HarnessError::Unexpected {
        doing: "ask for a bound port".to_owned(),
        found: format!("{addr:?}"),
    })
}
