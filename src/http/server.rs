//! Connections: so many at a time, none that holds its place by being slow, and an orderly end.

use super::address::Connection;
use super::front::{HEAD_LIMIT, MAX_HEADERS};
use super::impatient::Impatient;
use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// Serves until `stopping` becomes true, or its sender is gone. Then takes no further connection, answers what was
/// asked, and returns when the last connection is closed, shortly after at the latest.
pub async fn serve(listener: TcpListener, router: Router, stopping: watch::Receiver<bool>) {
    serve_at_most(MAX_CONNECTIONS, listener, router, stopping).await;
}

async fn serve_at_most(most: usize, listener: TcpListener, router: Router, stopping: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(most));
    let mut connections = JoinSet::new();
    let mut stop = stopping.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            () = until(&mut stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, peer, place) = accepted;
        // Small answers must not wait for an acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().unwrap_or(peer);
        let one = connection(stream, Connection { peer, local }, router.clone(), stopping.clone());
        connections.spawn(async move {
            one.await;
            drop(place);
        });
    }
    drop(listener);
    let all_closed = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_ANSWERS, all_closed).await.is_err() {
        tracing::warn!("Some HTTP connections did not close in time and were broken off");
    }
}

type Accepted = (TcpStream, std::net::SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// The next connection, once there is a place for it. Until then it waits in the kernel's own queue.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Accepted {
    loop {
        if let Ok(place) = places.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, place),
                // A connection that broke before it was taken is nobody's fault.
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionAborted => continue,
                Err(error) => tracing::error!(%error, "No connection can be taken; trying again"),
            }
        }
        // Out of file descriptors, most likely: some will be given back.
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

async fn connection<S>(stream: S, ends: Connection, router: Router, mut stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ends);
        router.clone().oneshot(request)
    });
    let mut http = http1::Builder::new();
    // Above the limits of the front, whose refusals say what is wrong; hyper's own are bare.
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_headers(2 * MAX_HEADERS)
        .max_buf_size(2 * HEAD_LIMIT);
    let stream = TokioIo::new(Impatient::new(stream, ANSWER_TIME));
    let mut connection = std::pin::pin!(http.serve_connection(stream, service));
    let result = tokio::select! {
        biased;
        result = connection.as_mut() => result,
        () = until(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::trace!(%error, "An HTTP connection ended early");
    }
}

/// Until it becomes true, or nobody is left to make it so.
pub(super) async fn until(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

const MAX_CONNECTIONS: usize = 1024;
/// For a request's head to arrive whole, and for a connection to lie idle.
const HEADER_TIME: Duration = Duration::from_secs(15);
/// For the other end to take the next piece of an answer.
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// For answers that are under way at the end, and no longer: half a head that never becomes whole asks nothing. With the
/// eight seconds that a simulated gateway drains, a stop stays below ten.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::front::{self, Front};
    use crate::http::input::Payload;
    use crate::http::{BODY_LIMIT, Settings};
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn start(router: Router) -> (std::net::SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        (address, stop, tokio::spawn(serve(listener, router, stopping)))
    }

    async fn talk(address: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn a_request_knows_both_ends_of_its_connection() {
        let ends = async |axum::Extension(c): axum::Extension<Connection>| format!("{} {}", c.peer.ip(), c.local);
        let (address, _stop, _) = start(Router::new().route("/", get(ends))).await;
        let answer = talk(address, "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
        assert!(answer.ends_with(&format!("127.0.0.1 {address}")), "{answer}");
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let front = Front { settings: Settings::default(), simulated: true };
        let (address, _stop, _) = start(front::around(Router::new(), front)).await;
        let fields = |count: usize, length: usize| {
            let fields: String = (0..count).map(|n| format!("x{n}: {}\r\n", "y".repeat(length))).collect();
            format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fields}\r\n")
        };
        let rows = [
            ("many", fields(MAX_HEADERS - 2, 1), "404"),
            ("too many", fields(MAX_HEADERS - 1, 1), "431"),
            ("large", fields(1, HEAD_LIMIT - 200), "404"),
            ("too large", fields(1, HEAD_LIMIT), "431"),
            ("a long path", format!("GET /{} HTTP/1.1\r\nconnection: close\r\n\r\n", "y".repeat(HEAD_LIMIT)), "431"),
        ];
        for (name, request, status) in rows {
            let answer = talk(address, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {answer}");
            assert!(answer.contains("content-type: application/problem+json"), "{name}: {answer}");
            assert!(answer.contains("otpgate-simulated: true"), "{name}: {answer}");
        }
        // Beyond hyper's own limits its answer is bare, but the end of it.
        let answer = talk(address, &format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(2 * HEAD_LIMIT))).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_ends_the_connection() {
        let (address, _stop, _) = start(Router::new()).await;
        #[allow(clippy::disallowed_methods, reason = "tokio's instant follows the paused clock")]
        let began = tokio::time::Instant::now();
        talk(address, "GET / HTTP/1.1\r\nhost:").await;
        assert!(began.elapsed() >= HEADER_TIME && began.elapsed() < HEADER_TIME * 2, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_body_that_is_announced_too_large_is_never_waited_for() {
        let (address, _stop, _) = start(Router::new().route("/", post(async |_: Payload| "taken"))).await;
        let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", BODY_LIMIT + 1);
        for expect in ["", "expect: 100-continue\r\n"] {
            let request = format!("{head}{expect}\r\n");
            let answer = tokio::time::timeout(Duration::from_secs(5), talk(address, &request)).await;
            let answer = answer.expect("an answer at once");
            assert!(answer.starts_with("HTTP/1.1 413"), "{expect}: {answer}");
        }
    }

    /// A connection with room for a few octets on the way, and two requests that were sent at once.
    async fn two_asked_at_once() -> (tokio::io::DuplexStream, tokio::task::JoinHandle<()>) {
        let (mut client, stream) = tokio::io::duplex(64);
        let router = Router::new().route("/", get(async || "#".repeat(512)));
        let ends = Connection { peer: ([127, 0, 0, 1], 1).into(), local: ([127, 0, 0, 1], 2).into() };
        let served = tokio::spawn(async move {
            let (_stop, stopping) = watch::channel(false);
            connection(stream, ends, router, stopping).await;
        });
        client.write_all(&b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(2)).await.unwrap();
        (client, served)
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_asks_and_never_reads_loses_its_place() {
        let (_client, served) = two_asked_at_once().await;
        #[allow(clippy::disallowed_methods, reason = "tokio's instant follows the paused clock")]
        let began = tokio::time::Instant::now();
        tokio::time::timeout(10 * ANSWER_TIME, served).await.expect("an end").unwrap();
        assert!(began.elapsed() >= ANSWER_TIME && began.elapsed() < 2 * ANSWER_TIME, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_reads_slowly_is_served_whole() {
        let (mut client, _served) = two_asked_at_once().await;
        let mut answers = Vec::new();
        while answers.iter().filter(|octet| **octet == b'#').count() < 1024 {
            tokio::time::sleep(ANSWER_TIME - Duration::from_secs(1)).await;
            assert_ne!(client.read_buf(&mut answers).await.unwrap(), 0, "it was cut off");
        }
    }

    #[tokio::test]
    async fn beyond_the_last_place_a_connection_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_stop, stopping) = watch::channel(false);
        let router = Router::new().route("/", get(async || "answered"));
        tokio::spawn(serve_at_most(1, listener, router, stopping));
        let ask = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(ask).await.unwrap();
        assert!(first.read(&mut [0; 1024]).await.unwrap() > 0);
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(ask).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(50), second.readable()).await;
        assert!(early.is_err(), "the first one still holds the place");
        drop(first);
        assert!(second.read(&mut [0; 1024]).await.unwrap() > 0);
    }

    #[tokio::test]
    async fn half_a_head_holds_no_stop_up() {
        let (address, stop, served) = start(Router::new().route("/", get(async || "answered"))).await;
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        // Connections are taken in turn: when this one is answered, the other is being read.
        talk(address, "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
        stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(3), served).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_was_asked_is_answered_before_the_end() {
        let (go, gone) = watch::channel(false);
        let slow = async move || {
            let _ = gone.clone().wait_for(|g| *g).await;
            "answered"
        };
        let (address, stop, served) = start(Router::new().route("/", get(slow))).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        // Until the request is being answered, there are two receivers.
        while go.receiver_count() < 2 {
            tokio::task::yield_now().await;
        }
        stop.send(true).unwrap();
        go.send(true).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("answered"), "{answer}");
        served.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
