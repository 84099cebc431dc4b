//! A relay between the proxy and the upstream that injects network faults: delays, early closes, resets and stalls.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens to the bytes that the upstream sends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Every piece is delayed by this long.
    Delay(Duration),
    /// The connection is closed in an orderly way after this many bytes.
    CloseAfter(usize),
    /// The connection is reset after this many bytes.
    ResetAfter(usize),
    /// After this many bytes nothing more arrives, and the connection stays open.
    StallAfter(usize),
}

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    acceptor: JoinHandle<()>,
}

impl Relay {
    /// Starts a relay to `target`. `fault` chooses the fault of each connection by its number, counted from 0.
    pub(crate) async fn to(
        target: SocketAddr,
        fault: impl Fn(usize) -> Fault + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = tokio::spawn(async move {
            for number in 0.. {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(relay(client, target, fault(number)));
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

async fn relay(client: TcpStream, target: SocketAddr, fault: Fault) {
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
        Fault::CloseAfter(bytes) | Fault::ResetAfter(bytes) | Fault::StallAfter(bytes) => bytes,
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
        // The copy towards the server continues until the client closes.
        Fault::StallAfter(_) => drop(up.await),
        Fault::CloseAfter(_) | Fault::Delay(_) => up.abort(),
    }
}
