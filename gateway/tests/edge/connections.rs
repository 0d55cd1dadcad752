//! The accept loop on real sockets: slow heads are cut, the bound holds, shutdown is orderly.

use std::{net::SocketAddr, time::Duration};

use assay_gateway::{Config, server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
    time::timeout,
};

use crate::gateway::Gateway;

/// Long enough for a busy machine, short enough for a person.
const SOON: Duration = Duration::from_secs(20);
const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

struct Served {
    gateway: Gateway,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    tasks: JoinSet<std::io::Result<()>>,
}

impl Served {
    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let gateway = Gateway::with(change).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(gateway.app.clone(), listener, async {
            let _ = stopped.await;
        }));
        Self { gateway, address, stop: Some(stop), tasks }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Asks it to stop, and waits until it has.
    async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        timeout(SOON, self.tasks.join_next()).await.unwrap().unwrap().unwrap().unwrap();
    }
}

/// Reads until the head of a 200 is there.
async fn answered(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    while !seen.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        let read = timeout(SOON, stream.read(&mut bytes)).await.unwrap().unwrap();
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&bytes[..read]);
    }
    assert!(seen.starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&seen));
}

/// Waits until the other side has closed, whatever it says before.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is a close too.
    let _ = timeout(SOON, stream.read_to_end(&mut rest)).await.expect("still open");
}

#[tokio::test]
async fn a_head_that_does_not_come_is_cut() {
    let mut served = Served::with(|config| config.limits.header_wait_ms = 50).await;
    // Nothing at all, the start of HTTP/2 or of POST, half a head.
    for sent in [&b""[..], b"P", b"GET /healthz HTTP/1.1\r\nhost:"] {
        let mut stream = served.connect().await;
        stream.write_all(sent).await.unwrap();
        closed(&mut stream).await;
    }
    served.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_a_while() {
    let mut served = Served::with(|config| {
        config.limits.header_wait_ms = 50;
        config.limits.idle_wait_ms = 300;
    })
    .await;
    let mut stream = served.connect().await;
    stream.write_all(HEALTH).await.unwrap();
    answered(&mut stream).await;
    let mut byte = [0; 1];
    let early = timeout(Duration::from_millis(100), stream.read(&mut byte)).await;
    assert!(early.is_err(), "closed as if it had not asked");
    closed(&mut stream).await;
    served.stop().await;
}

#[tokio::test]
async fn one_connection_too_many_waits_for_another_to_end() {
    let mut served = Served::with(|config| config.limits.connections_max = 1).await;
    let mut first = served.connect().await;
    first.write_all(HEALTH).await.unwrap();
    answered(&mut first).await;
    let mut second = served.connect().await;
    second.write_all(HEALTH).await.unwrap();
    let mut byte = [0; 1];
    let early = timeout(Duration::from_millis(100), second.read(&mut byte)).await;
    assert!(early.is_err(), "the second connection was answered beside the first");
    drop(first);
    answered(&mut second).await;
    served.stop().await;
}

#[tokio::test]
async fn shutdown_closes_idle_connections_and_waits_for_tracked_tasks() {
    let mut served = Served::with(|_| {}).await;
    let mut idle = served.connect().await;
    idle.write_all(HEALTH).await.unwrap();
    answered(&mut idle).await;
    let (settled, settlement) = oneshot::channel();
    let app = served.gateway.app.clone();
    let shutdown = app.shutdown.clone();
    app.tasks.spawn(async move {
        shutdown.cancelled().await;
        tokio::task::yield_now().await;
        settled.send(()).unwrap();
    });
    served.stop().await;
    closed(&mut idle).await;
    settlement.await.expect("the task had its time");
    assert!(TcpStream::connect(served.address).await.is_err(), "still listening");
}
