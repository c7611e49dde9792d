//! The client commands' way to the daemon: HTTP/1.1 over one connection per request.

use super::{Stop, console};
use crate::app::ADMIN_KEY;
use crate::config::{DEFAULT_PORT, Environment, default_data_dir};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;

/// What all client commands take.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Options {
    /// Where the gateway is [default: OTPGATE_URL, else http://127.0.0.1:8480]
    #[arg(long, value_name = "URL", help_heading = "Gateway")]
    url: Option<String>,
    /// The gateway's data folder, to find admin.key in when OTPGATE_API_KEY is not set
    #[arg(long, value_name = "DIR", help_heading = "Gateway")]
    data_dir: Option<PathBuf>,
    /// Print the gateway's answer as it is
    #[arg(long)]
    pub(super) json: bool,
}

/// A gateway, and a key for it.
pub(super) struct Client {
    host: String,
    port: u16,
    key: String,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    /// Finds the gateway and a key.
    pub(super) fn new(options: &Options) -> Result<Self, Stop> {
        let environment = Environment::of_process();
        let mut client = Self::without_key(options, &environment)?;
        client.key = client.find_key(options, &environment)?;
        Ok(client)
    }

    /// As [`Client::new`], but goes on without a key: the standalone simulator wants none.
    pub(super) fn with_key_if_any(options: &Options) -> Result<Self, Stop> {
        let environment = Environment::of_process();
        let mut client = Self::without_key(options, &environment)?;
        client.key = client.find_key(options, &environment).unwrap_or_default();
        Ok(client)
    }

    fn without_key(options: &Options, environment: &Environment) -> Result<Self, Stop> {
        let url = options.url.as_deref().or(environment.get("OTPGATE_URL"));
        let (host, port) = match url {
            Some(url) => parse_url(url).map_err(Stop::Usage)?,
            None => ("127.0.0.1".to_owned(), DEFAULT_PORT),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Stop::Failed(format!("can't start: {e}")))?;
        Ok(Self { host, port, key: String::new(), runtime })
    }

    fn find_key(&self, options: &Options, environment: &Environment) -> Result<String, Stop> {
        match environment.get("OTPGATE_API_KEY") {
            Some(key) => Ok(key.trim().to_owned()),
            None => self.key_from_file(options, environment),
        }
    }

    /// Asks for something.
    pub(super) fn get(&self, path: &str) -> Result<Value, Stop> {
        self.call(Method::GET, path, None)
    }

    /// Sends something.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Stop> {
        self.call(Method::POST, path, Some(body))
    }

    /// Changes something.
    pub(super) fn patch(&self, path: &str, body: &Value) -> Result<Value, Stop> {
        self.call(Method::PATCH, path, Some(body))
    }

    /// Takes something away.
    pub(super) fn delete(&self, path: &str) -> Result<Value, Stop> {
        self.call(Method::DELETE, path, None)
    }

    fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Stop> {
        let answer = self.runtime.block_on(self.exchange(method, path, body))?;
        let json: Value = match answer.body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
        };
        if answer.status.is_success() {
            return match json {
                Value::Null if answer.status != StatusCode::NO_CONTENT => Err(self.not_ours()),
                json => Ok(json),
            };
        }
        Err(Stop::Failed(explain(answer.status, answer.retry_after.as_deref(), &json)))
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Stop> {
        let authority = authority(&self.host, self.port);
        let request = Request::builder().method(method).uri(path).header(HOST, &authority);
        let request = match self.key.as_str() {
            "" => request,
            key => request.header(AUTHORIZATION, format!("Bearer {key}")),
        };
        let request = match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(Full::from(body.to_string())),
            None => request.body(Full::from(Bytes::new())),
        };
        // Only the key and the path are not ours; both may hold what no header or path can.
        let request = request.map_err(|_| {
            Stop::Usage("the key or an argument holds characters that can't be sent; copy it again".to_owned())
        })?;
        match tokio::time::timeout(PATIENCE, self.send(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(stop)) => Err(stop),
            Err(_) => Err(Stop::Failed(format!("http://{authority} did not answer within {} s", PATIENCE.as_secs()))),
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Stop> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| self.unreachable(&e))?;
        let broken = |e: &dyn std::fmt::Display| {
            Stop::Failed(format!("the connection to {} broke: {e}", authority(&self.host, self.port)))
        };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let (status, retry_after, simulated) =
            (response.status(), header(RETRY_AFTER.as_str()), header("otpgate-simulated").is_some());
        let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
        let body = body.map_err(|e| broken(&e))?.to_bytes();
        connection.abort();
        Ok(Answer { status, retry_after, simulated, body })
    }

    /// The key from `admin.key`, for a gateway on this machine only: a key in a file is for its own gateway, and must not
    /// be shown to another.
    fn key_from_file(&self, options: &Options, environment: &Environment) -> Result<String, Stop> {
        let is_local = self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !is_local && options.data_dir.is_none() {
            return Err(Stop::Usage(format!(
                "{} is another machine: put a key for it into OTPGATE_API_KEY",
                self.host
            )));
        }
        let files: Vec<PathBuf> =
            match options.data_dir.as_deref().or(environment.get("OTPGATE_DATA_DIR").map(Path::new)) {
                Some(data_dir) => vec![data_dir.join(ADMIN_KEY)],
                None => {
                    // The gateway itself says which of the two default folders is its own.
                    let probe = self.runtime.block_on(self.exchange(Method::GET, "/healthz", None))?;
                    let own = default_data_dir(probe.simulated, environment).join(ADMIN_KEY);
                    let service = Path::new("/var/lib/otpgate").join(ADMIN_KEY);
                    if probe.simulated || own == service { vec![own] } else { vec![own, service] }
                }
            };
        for file in &files {
            match std::fs::read_to_string(file) {
                Ok(key) => return Ok(key.trim().to_owned()),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    return Err(Stop::Failed(format!(
                        "{} can't be read by you; try again with sudo, or put a key into OTPGATE_API_KEY",
                        file.display()
                    )));
                }
                Err(_) => {}
            }
        }
        let looked: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        Err(Stop::Failed(format!(
            "no key: there is no {}; put a key into OTPGATE_API_KEY, or name the gateway's data folder with --data-dir",
            looked.join(" and no ")
        )))
    }

    fn unreachable(&self, error: &std::io::Error) -> Stop {
        let at = authority(&self.host, self.port);
        Stop::Failed(match error.kind() {
            ErrorKind::ConnectionRefused => format!(
                "no gateway listens at http://{at}; start one with \"otpgate serve --simulate 2\", or name another with \
                 --url"
            ),
            _ => format!("http://{at} can't be reached: {error}"),
        })
    }

    fn not_ours(&self) -> Stop {
        Stop::Failed(format!("what answers at {} is not otpgate; check --url", authority(&self.host, self.port)))
    }
}

/// A value for a path or a query: everything but letters, digits and `-._~` is encoded (RFC 3986 §2.3).
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    simulated: bool,
    body: Bytes,
}

/// A problem (RFC 9457) in a sentence, with what to do.
fn explain(status: StatusCode, retry_after: Option<&str>, problem: &Value) -> String {
    let text =
        |field: &str| problem.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(console::clean);
    let mut sentence = match text("detail").or(text("title")) {
        Some(detail) => detail.trim_end_matches('.').to_owned(),
        None => format!("{status} is all that was answered; is it otpgate that listens there? check --url"),
    };
    if let Some(field) = text("field") {
        sentence.push_str(&format!(" (field {field})"));
    }
    if let Some(code) = text("code") {
        sentence.push_str(&format!(" [{code}]"));
    }
    if let Some(seconds) = retry_after {
        sentence.push_str(&format!("; try again in {seconds} s"));
    }
    if status == StatusCode::UNAUTHORIZED {
        sentence.push_str("; the key is not this gateway's: check OTPGATE_API_KEY, --data-dir and --url");
    }
    sentence
}

/// Host and port of `http://host:port`. A port or a part that would not be heeded is refused: the key would go elsewhere.
fn parse_url(url: &str) -> Result<(String, u16), String> {
    // First, and without the text: it may hold a password.
    if url.contains('@') {
        return Err("the URL holds a name or password; write it as http://127.0.0.1:8480 and put the key into \
                    OTPGATE_API_KEY"
            .to_owned());
    }
    if url.contains(['?', '#']) {
        return Err("the URL holds more than a host and a port; write it as http://127.0.0.1:8480".to_owned());
    }
    let uri: Uri = url.parse().map_err(|_| format!("\"{url}\" is no URL; write it as http://127.0.0.1:8480"))?;
    let host = uri.host().filter(|host| !host.is_empty());
    match (uri.scheme_str(), host, uri.path()) {
        (Some("https"), ..) => {
            Err("these commands have no TLS; run them on the gateway's own machine, or through an SSH tunnel"
                .to_owned())
        }
        (Some("http"), Some(host), "/" | "") => {
            let authority = uri.authority().map_or("", |authority| authority.as_str());
            Ok((host.trim_matches(['[', ']']).to_owned(), port_behind(host, authority)?))
        }
        _ => Err(format!("\"{url}\" does not name a gateway; write it as http://127.0.0.1:8480")),
    }
}

fn port_behind(host: &str, authority: &str) -> Result<u16, String> {
    match authority.strip_prefix(host) {
        Some("") => Ok(80),
        Some(port) => {
            let digits = port.strip_prefix(':').filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let number = digits.and_then(|digits| digits.parse().ok()).filter(|port| *port != 0);
            number.ok_or_else(|| format!("\"{authority}\" has no port from 1 to 65535; write it as 127.0.0.1:8480"))
        }
        None => Err(format!("\"{authority}\" is no host and port; write it as 127.0.0.1:8480")),
    }
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A wait for a message is at most 60 s at the gateway.
const PATIENCE: Duration = Duration::from_secs(70);
const LARGEST_ANSWER: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn urls() {
        let rows = [
            ("http://127.0.0.1:8480", Ok(("127.0.0.1", 8480))),
            ("http://box/", Ok(("box", 80))),
            ("http://[::1]:9", Ok(("::1", 9))),
            ("https://box", Err("no TLS")),
            ("box:8480", Err("write it as")),
            ("http://box/v1", Err("write it as")),
            ("http://box:65535", Ok(("box", 65535))),
            ("http://127.0.0.1:99999", Err("no port from 1 to 65535")),
            ("http://box:0", Err("no port from 1 to 65535")),
            ("http://box:", Err("no port from 1 to 65535")),
            ("http://box:+80", Err("write it as")),
            ("http://[::1]:99999", Err("no port from 1 to 65535")),
            ("http://ada:secret@box:8480", Err("the URL holds a name or password")),
            ("http://box:8480/?key=1", Err("more than a host and a port")),
            ("http://box:8480/#top", Err("more than a host and a port")),
            ("", Err("no URL")),
        ];
        for (url, expected) in rows {
            match (parse_url(url), expected) {
                (Ok((host, port)), Ok(expected)) => assert_eq!((host.as_str(), port), expected, "{url}"),
                (Err(told), Err(expected)) => assert!(told.contains(expected), "{url}: {told}"),
                (got, _) => panic!("{url}: {got:?}"),
            }
        }
    }

    #[test]
    fn problems_become_sentences() {
        let problem = json!({"title": "T", "detail": "Give a number.", "code": "invalid_value", "field": "to"});
        assert_eq!(
            explain(StatusCode::UNPROCESSABLE_ENTITY, None, &problem),
            "Give a number (field to) [invalid_value]"
        );
        assert_eq!(
            explain(StatusCode::BAD_REQUEST, None, &json!({"detail": "a\u{1b}[2Jb", "code": "c\u{202e}d"})),
            "a·[2Jb [c·d]"
        );
        assert_eq!(
            explain(StatusCode::SERVICE_UNAVAILABLE, Some("3"), &Value::Null),
            "503 Service Unavailable is all that was answered; is it otpgate that listens there? check --url; try again \
             in 3 s"
        );
    }

    #[test]
    fn arguments_are_encoded() {
        assert_eq!(encoded("+1 a/b?c%é~"), "%2B1%20a%2Fb%3Fc%25%C3%A9~");
    }
}
