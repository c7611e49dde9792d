//! The webhooks' client on real sockets: where it goes, what it sends, and what it makes of a hostile other side.

use otpgate::domain::secret::Secret;
use otpgate::domain::webhook::Outcome;
use otpgate::webhook::client::{Client, Resolver, Resolving};
use otpgate::webhook::delivery::{Call, Transport};
use otpgate::webhook::signature;
use otpgate::webhook::target::Rules;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// A name server that knows these addresses of every name, and counts who asks.
#[derive(Clone, Default)]
struct Names(Vec<SocketAddr>, Arc<AtomicUsize>);

impl Resolver for Names {
    fn resolve(&self, _host: String, port: u16) -> Resolving {
        self.1.fetch_add(1, Ordering::SeqCst);
        let all = self.0.iter().map(|address| SocketAddr::new(address.ip(), port)).collect();
        Box::pin(std::future::ready(Ok(all)))
    }
}

fn names(addresses: &[&str]) -> Names {
    Names(addresses.iter().map(|a| SocketAddr::new(a.parse().unwrap(), 0)).collect(), Arc::default())
}

fn rules(allowed: &[&str], own: &[SocketAddr]) -> Rules {
    Rules { allowed: allowed.iter().map(|a| a.parse().unwrap()).collect(), own: own.to_vec(), own_names: Vec::new() }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/tls").join(name)
}

fn client(rules: Rules, names: Names) -> Client {
    Client::new(rules, Arc::new(names), Some(&file("ca.pem"))).unwrap()
}

async fn post(client: &Client, url: &str) -> Outcome {
    let call = Call {
        url: Secret::new(url),
        id: "whd_1".to_owned(),
        timestamp: 1_795_397_726,
        signature: signature::header(&[signature::secret(&[7; 32])], "whd_1", 1_795_397_726, b"{}"),
        body: Secret::new("{}"),
    };
    client.post(call).await
}

fn why(outcome: &Outcome) -> String {
    outcome.why().unwrap_or_default()
}

fn answered(status: u16) -> Outcome {
    Outcome::Answered { status, retry_after: None }
}

/// Somebody who answers each connection with this, and tells what was asked.
async fn receiver(answer: &'static str) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, (tell, told)) = (listener.local_addr().unwrap(), mpsc::unbounded_channel());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer, tell.clone()));
        }
    });
    (address, told)
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str, tell: mpsc::UnboundedSender<String>) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"{}") {
        let mut some = [0; 4096];
        match stream.read(&mut some).await {
            Ok(0) | Err(_) => return,
            Ok(n) => asked.extend_from_slice(&some[..n]),
        }
    }
    let _ = tell.send(String::from_utf8(asked).unwrap());
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[tokio::test]
async fn a_delivery_is_a_signed_post() {
    let (address, mut told) = receiver(OK).await;
    let client = client(rules(&["127.0.0.0/8"], &[]), names(&["127.0.0.1"]));
    let url = format!("http://hooks.test:{}/otpgate?token=1", address.port());
    assert_eq!(post(&client, &url).await, answered(200));
    let asked = told.recv().await.unwrap();
    assert!(asked.starts_with("POST /otpgate?token=1 HTTP/1.1\r\n"), "{asked}");
    for line in [
        &*format!("host: hooks.test:{}", address.port()),
        "content-type: application/json",
        "content-length: 2",
        "webhook-id: whd_1",
        "webhook-timestamp: 1795397726",
    ] {
        assert!(asked.to_ascii_lowercase().contains(&format!("\r\n{line}\r\n")), "{line}: {asked}");
    }
    let signed = asked.lines().find_map(|line| line.strip_prefix("webhook-signature: ")).unwrap();
    let secret = signature::secret(&[7; 32]);
    assert_eq!(signature::verify(&secret, "whd_1", 1_795_397_726, b"{}", signed, 1_795_397_726), Ok(()));
}

#[tokio::test]
async fn metadata_services_and_names_that_lead_inside_are_refused() {
    let (address, mut told) = receiver(OK).await;
    let port = address.port();
    let public = "93.184.215.14";
    let rows: [(&str, &[&str], &[&str], &str); 8] = [
        ("http://169.254.169.254/latest/meta-data/", &[], &[], "169.254.169.254 is link-local, which is never allowed"),
        ("https://rebound.test:PORT/", &["127.0.0.1"], &[], "127.0.0.1 is loopback"),
        ("https://rebound.test:PORT/", &["::1"], &[], "::1 is loopback"),
        ("https://rebound.test:PORT/", &["::ffff:127.0.0.1"], &[], "::ffff:127.0.0.1 is loopback"),
        ("https://rebound.test:PORT/", &[public, "127.0.0.1"], &[], "127.0.0.1 is loopback"),
        ("https://rebound.test:PORT/", &["169.254.169.254"], &["0.0.0.0/0"], "never allowed"),
        ("http://rebound.test:PORT/", &[public], &["127.0.0.1"], "it is not encrypted"),
        ("https://rebound.test:PORT/", &[], &[], "its name has no address"),
    ];
    for (url, addresses, allowed, expected) in rows {
        let outcome =
            post(&client(rules(allowed, &[]), names(addresses)), &url.replace("PORT", &port.to_string())).await;
        assert!(why(&outcome).contains(expected), "{url} {addresses:?}: {outcome:?}");
    }
    assert!(told.try_recv().is_err(), "nobody was connected to");
}

#[tokio::test]
async fn otpgate_itself_is_never_told_under_whatever_address() {
    let (address, mut told) = receiver(OK).await;
    let everywhere = SocketAddr::new("0.0.0.0".parse().unwrap(), address.port());
    for own in [address, everywhere] {
        let client = client(rules(&["127.0.0.0/8"], &[own]), names(&["127.0.0.1"]));
        let outcome = post(&client, &format!("http://me.test:{}/", address.port())).await;
        assert!(why(&outcome).contains("otpgate itself"), "{outcome:?}");
    }
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn a_name_is_looked_up_once() {
    let (address, _told) = receiver(OK).await;
    let names = names(&["127.0.0.1"]);
    let client = client(rules(&["127.0.0.0/8"], &[]), names.clone());
    assert_eq!(post(&client, &format!("http://hooks.test:{}/", address.port())).await, answered(200));
    assert_eq!(names.1.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (inside, mut reached) = receiver(OK).await;
    let answer = format!("HTTP/1.1 307 Away\r\nlocation: http://{inside}/\r\ncontent-length: 0\r\n\r\n");
    let (address, _told) = receiver(answer.leak()).await;
    let outcome = post(&client(rules(&["127.0.0.0/8"], &[]), Names::default()), &format!("http://{address}/")).await;
    assert_eq!(outcome, answered(307));
    assert!(why(&outcome).contains("redirects are not followed"));
    assert!(reached.try_recv().is_err());
}

#[tokio::test]
async fn what_is_answered_is_read_within_bounds() {
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{}", "x".repeat(1 << 20));
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(1 << 20));
    let rows: [(&'static str, Result<u16, &str>); 5] = [
        (endless.leak(), Ok(200)),
        (head.leak(), Err("no answer")),
        ("SSH-2.0-OpenSSH_9.6\r\n", Err("no answer")),
        ("", Err("no answer")),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}", Ok(200)),
    ];
    for (answer, expected) in rows {
        let (address, _told) = receiver(answer).await;
        let client = client(rules(&["127.0.0.0/8"], &[]), Names::default());
        let outcome = tokio::time::timeout(Duration::from_secs(10), post(&client, &format!("http://{address}/"))).await;
        match (outcome.unwrap(), expected) {
            (outcome, Ok(status)) => assert_eq!(outcome, answered(status)),
            (outcome, Err(expected)) => assert!(why(&outcome).contains(expected), "{outcome:?}"),
        }
    }
}

#[tokio::test]
async fn a_receiver_may_say_when_it_wants_to_be_asked_again() {
    let (address, _told) = receiver("HTTP/1.1 429 Slow\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n").await;
    let outcome = post(&client(rules(&["127.0.0.0/8"], &[]), Names::default()), &format!("http://{address}/")).await;
    assert_eq!(outcome, Outcome::Answered { status: 429, retry_after: Some(Duration::from_secs(90)) });
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let outcome = post(&client(rules(&["127.0.0.0/8"], &[]), Names::default()), &format!("http://{address}/")).await;
    assert!(why(&outcome).starts_with("no connection to 127.0.0.1: "), "{outcome:?}");
}

/// A receiver whose certificate the authority of `ca.pem` has signed for `hooks.test`.
async fn tls_receiver() -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let certificate = CertificateDer::from_pem_file(file("receiver.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("receiver.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, (tell, told)) = (listener.local_addr().unwrap(), mpsc::unbounded_channel());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, tell) = (acceptor.clone(), tell.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, OK, tell).await;
                }
            });
        }
    });
    (address, told)
}

#[tokio::test]
async fn only_the_one_whose_certificate_is_good_is_told() {
    let (address, mut told) = tls_receiver().await;
    let good = client(rules(&["127.0.0.0/8"], &[]), names(&["127.0.0.1"]));
    let url = |name: &str| format!("https://{name}:{}/", address.port());
    assert_eq!(post(&good, &url("hooks.test")).await, answered(200));
    assert!(told.recv().await.unwrap().starts_with("POST / HTTP/1.1"));
    for name in ["other.test", "127.0.0.1"] {
        let outcome = post(&good, &url(name)).await;
        assert!(why(&outcome).starts_with("no TLS: "), "{name}: {outcome:?}");
    }
    let names = Arc::new(names(&["127.0.0.1"]));
    let without = Client::new(rules(&["127.0.0.0/8"], &[]), names, None).unwrap();
    let outcome = post(&without, &url("hooks.test")).await;
    let why = why(&outcome);
    assert!(why.contains("ca_file under [webhook]") || why.contains("install ca-certificates"), "{why}");
    assert!(told.try_recv().is_err(), "none of these was told anything");
}

#[test]
fn a_file_of_authorities_that_is_none_is_said_so_at_start() {
    for name in ["receiver.key", "missing.pem"] {
        let refused = Client::new(Rules::default(), Arc::new(Names::default()), Some(&file(name))).err().unwrap();
        assert!(refused.starts_with("[webhook] ca_file: "), "{refused}");
    }
}
