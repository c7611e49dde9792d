//! Sends a webhook's request over TCP and TLS: to an address that was checked, and to no other.
//!
//! A name is looked up once, all its addresses are checked, and one of those is connected to, so that no second answer of a
//! name server can lead elsewhere. Redirects are an answer like any other. Of the answer only its status counts.

use super::delivery::{Call, Transport};
use super::target::{Rules, Target};
use crate::domain::webhook::Outcome;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Looks names up.
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of a name, with this port.
    fn resolve(&self, host: String, port: u16) -> Resolving;
}

/// The addresses that a name has.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The machine's own way to look names up.
#[derive(Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: String, port: u16) -> Resolving {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// The client.
#[derive(Clone)]
pub struct Client {
    rules: Arc<Rules>,
    resolver: Arc<dyn Resolver>,
    own_authorities: Arc<[CertificateDer<'static>]>,
    tls: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl Client {
    /// One that keeps these rules, and trusts the certificates of this file beside those that the machine trusts.
    pub fn new(rules: Rules, resolver: Arc<dyn Resolver>, ca_file: Option<&Path>) -> Result<Self, String> {
        let authorities = ca_file.map(certificates).transpose()?.unwrap_or_default();
        Ok(Self { rules: rules.into(), resolver, own_authorities: authorities.into(), tls: Arc::default() })
    }

    async fn send(&self, call: Call) -> Result<Outcome, String> {
        let target = Target::parse(call.url.reveal()).map_err(|why| why.to_string())?;
        self.rules.check_url(&target).map_err(|why| why.to_string())?;
        let addresses = self.addresses(&target).await?;
        let stream = timeout(CONNECT, self.connect(&target, &addresses))
            .await
            .map_err(|_| format!("no connection within {} seconds", CONNECT.as_secs()))??;
        let body = Full::new(Bytes::copy_from_slice(call.body.reveal().as_bytes()));
        let request = Request::post(&target.path)
            .header(header::HOST, target.authority())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("otpgate/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .header("webhook-id", &call.id)
            .header("webhook-timestamp", call.timestamp)
            .header("webhook-signature", &call.signature)
            .body(body)
            .map_err(|_| "its URL can't be asked for".to_owned())?;
        if !target.tls {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| "its name can't be that of a certificate".to_owned())?;
        let connector = TlsConnector::from(self.tls().await?);
        let stream = timeout(CONNECT, connector.connect(name, stream))
            .await
            .map_err(|_| format!("no TLS within {} seconds", CONNECT.as_secs()))?
            .map_err(|error| {
                format!("no TLS: {error}; if its authority is your own, name it as ca_file under [webhook]")
            })?;
        exchange(stream, request).await
    }

    /// Where the target is. One that may not be connected to spoils them all: who mixes them means no good.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, String> {
        let addresses = match target.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, target.port)],
            Err(_) => timeout(CONNECT, self.resolver.resolve(target.host.clone(), target.port))
                .await
                .map_err(|_| format!("its name was not looked up within {} seconds", CONNECT.as_secs()))?
                .map_err(|error| format!("its name can't be looked up: {error}"))?,
        };
        for address in &addresses {
            self.rules.check(target, *address, None).map_err(|why| why.to_string())?;
        }
        if addresses.is_empty() { Err("its name has no address".to_owned()) } else { Ok(addresses) }
    }

    async fn connect(&self, target: &Target, addresses: &[SocketAddr]) -> Result<TcpStream, String> {
        let mut last = String::new();
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Whether it is this very machine shows only now.
                    let local = stream.local_addr().ok().map(|local| local.ip());
                    self.rules.check(target, *address, local).map_err(|why| why.to_string())?;
                    return Ok(stream);
                }
                Err(error) => last = format!("no connection to {}: {error}", address.ip()),
            }
        }
        Err(last)
    }

    async fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        let own = self.own_authorities.clone();
        let make = || async {
            let made = tokio::task::spawn_blocking(move || tls(&own)).await;
            made.unwrap_or_else(|_| Err("the machine's certificates could not be read".to_owned()))
        };
        self.tls.get_or_try_init(make).await.cloned()
    }
}

impl Transport for Client {
    fn post(&self, call: Call) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let client = self.clone();
        Box::pin(async move { client.send(call).await.unwrap_or_else(Outcome::Failed) })
    }
}

/// Asks, and takes the status of the answer.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Outcome, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| format!("no answer: {error}");
    let handshake = http1::Builder::new().max_buf_size(MAX_ANSWER).handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(broken)?;
    let answer = async {
        let response: Response<Incoming> = sender.send_request(request).await.map_err(broken)?;
        let status = response.status().as_u16();
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        // Read so that its sender need not see it broken off, but for no longer than is polite.
        let _ = timeout(REST, Limited::new(response.into_body(), MAX_ANSWER).collect()).await;
        Ok(Outcome::Answered { status, retry_after: retry_after.map(Duration::from_secs) })
    };
    tokio::pin!(answer, connection);
    let mut is_open = true;
    loop {
        tokio::select! {
            biased;
            answered = &mut answer => return answered,
            // What it says of its end, the answer says as well.
            _ = &mut connection, if is_open => is_open = false,
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |why: &dyn std::fmt::Display| {
        format!("[webhook] ca_file: {} can't be read ({why}); give certificates in PEM", file.display())
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|error| wrong(&error))?;
    if certificates.is_empty() { Err(wrong(&"there is none in it")) } else { Ok(certificates) }
}

fn tls(own: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    // What of the machine's can't be read is its own affair, as long as something can.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let (_, bad) = roots.add_parsable_certificates(own.iter().cloned());
    if bad > 0 {
        return Err("[webhook] ca_file holds something that is no certificate".to_owned());
    }
    if roots.is_empty() {
        return Err(
            "this machine trusts no authority; install ca-certificates, or name a ca_file under [webhook]".to_owned()
        );
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("no TLS: {error}"))?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// For each step up to an open connection.
const CONNECT: Duration = Duration::from_secs(5);
/// For the body of an answer.
const REST: Duration = Duration::from_secs(2);
/// Octets of an answer that are read: of its head, and of its body.
const MAX_ANSWER: usize = 64 * 1024;
