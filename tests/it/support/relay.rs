//! A relay between proxy and upstream that does what networks do: delay, cut, reset, swallow, half-close.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens to the bytes on their way back from the upstream.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Each piece comes later by this much.
    Delay(Duration),
    /// An orderly close after so many bytes.
    CutAfter(usize),
    /// A reset after so many bytes.
    ResetAfter(usize),
    /// After so many bytes nothing comes any more, and the connection stays open.
    SwallowAfter(usize),
}

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    acceptor: JoinHandle<()>,
}

impl Relay {
    /// `fault` is asked for each connection, which are counted from 0.
    pub(crate) async fn to(
        target: SocketAddr,
        fault: impl Fn(usize) -> Fault + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = tokio::spawn(async move {
            for number in 0.. {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, target, fault(number)));
            }
        });
        Self { address, acceptor }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn carry(client: TcpStream, target: SocketAddr, fault: Fault) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        from_client
    });
    let mut left = match fault {
        Fault::Delay(_) => usize::MAX,
        Fault::CutAfter(bytes) | Fault::ResetAfter(bytes) | Fault::SwallowAfter(bytes) => bytes,
    };
    let mut piece = vec![0; 16 * 1024];
    while left > 0 {
        let wanted = left.min(piece.len());
        let Ok(count @ 1..) = from_server.read(&mut piece[..wanted]).await else {
            break;
        };
        if let Fault::Delay(delay) = fault {
            tokio::time::sleep(delay).await;
        }
        if to_client.write_all(&piece[..count]).await.is_err() {
            break;
        }
        left -= count;
    }
    match fault {
        Fault::ResetAfter(_) => {
            to_client.as_ref().set_zero_linger().unwrap();
            up.abort();
            let _ = up.await;
        }
        // The copy towards the server goes on until the client has had enough.
        Fault::SwallowAfter(_) => drop(up.await),
        Fault::CutAfter(_) | Fault::Delay(_) => up.abort(),
    }
}
