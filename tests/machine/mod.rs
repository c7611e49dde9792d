//! Real processes: the binary as it is installed, virtual modems on pseudo-terminals, HTTP over loopback.
//!
//! A pseudo-terminal can't show what only a real modem has: `tcdrain` that blocks, prompts that come late by
//! themselves, and identities of real makers.

#![allow(dead_code, unreachable_pub, reason = "each program uses its own part")]
#![allow(clippy::disallowed_methods, reason = "real processes take real time")]

pub(crate) mod books;

use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The binary under test.
pub(crate) const OTPGATE: &str = env!("CARGO_BIN_EXE_otpgate");

/// `otpgate simulate`, on links in a folder of its own. Killed when dropped.
pub(crate) struct Simulate {
    child: Child,
    pub(crate) links: Vec<PathBuf>,
    pub(crate) log: PathBuf,
    pub(crate) http: Option<Http>,
}

impl Simulate {
    /// Starts so many modems with these further flags.
    pub(crate) fn start(dir: &Path, modems: usize, flags: &[&str]) -> Self {
        let prefix = dir.join("modem");
        let log = dir.join("air.jsonl");
        let port = free_port();
        let mut command = Command::new(OTPGATE);
        command.args(["simulate", &modems.to_string(), "--link"]).arg(&prefix).arg("--log").arg(&log);
        command.args(["--listen", &format!("127.0.0.1:{port}")]).args(flags);
        let child = quiet(&mut command, dir, "simulate").spawn().expect("otpgate simulate starts");
        let links: Vec<PathBuf> = (0..modems).map(|i| PathBuf::from(format!("{}{i}", prefix.display()))).collect();
        until(Duration::from_secs(10), "the virtual modems are there", || links.iter().all(|l| l.exists()));
        until(Duration::from_secs(10), "the virtual network answers", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { child, links, log, http: Some(Http::new(port, None)) }
    }

    /// Every copy that the virtual network has accepted: (number, text, TP-MR).
    pub(crate) fn copies(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("the log holds JSON lines")).collect()
    }

    /// This signal, and how it ended.
    pub(crate) fn end_by(&mut self, name: &str, within: Duration) -> ExitStatus {
        end_by(&mut self.child, name, within)
    }

    /// What `GET /simulator/counts` says.
    pub(crate) fn counts(&mut self) -> Value {
        self.http.as_mut().expect("it listens").get("/simulator/counts").expect("counts").1
    }
}

impl Drop for Simulate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `otpgate serve`. Killed when dropped.
pub(crate) struct Gateway {
    child: Child,
    pub(crate) port: u16,
    pub(crate) data: PathBuf,
}

impl Gateway {
    /// Starts it on these ports and waits until it answers.
    pub(crate) fn start(dir: &Path, port: u16, modems: &[PathBuf], flags: &[&str]) -> Self {
        let data = dir.join("data");
        let mut command = Command::new(OTPGATE);
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"]).arg(&data);
        for modem in modems {
            command.arg("--modem").arg(modem);
        }
        // What these tests send is pumping, as the guard sees it.
        command.args(flags).env("OTPGATE_COUNTRY", "US").env("OTPGATE_GUARD_MODE", "off");
        let child = quiet(&mut command, dir, "serve").spawn().expect("otpgate serve starts");
        let mut gateway = Self { child, port, data };
        let began = Instant::now();
        // The address is taken first, and requests wait there until the store is open.
        while Http::new(port, None).get("/healthz").is_err() {
            if let Ok(Some(status)) = gateway.child.try_wait() {
                panic!("otpgate serve ended with {status}; see {}/serve.log", dir.display());
            }
            assert!(began.elapsed() < Duration::from_secs(20), "otpgate serve does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        gateway
    }

    /// A client with the admin key.
    pub(crate) fn client(&self) -> Http {
        let key = fs::read_to_string(self.data.join("admin.key")).expect("the admin key is there");
        Http::new(self.port, Some(key.trim().to_owned()))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(&mut self, within: Duration) -> ExitStatus {
        self.end_by("TERM", within)
    }

    /// How it ended, after a signal.
    pub(crate) fn ended(&mut self, within: Duration) -> ExitStatus {
        ended(&mut self.child, within)
    }

    /// This signal, and how it ended.
    pub(crate) fn end_by(&mut self, name: &str, within: Duration) -> ExitStatus {
        end_by(&mut self.child, name, within)
    }

    /// Resident memory in KiB.
    pub(crate) fn rss_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the process lives");
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    }

    /// Waits until so many modems can send.
    pub(crate) fn wait_ready(&self, modems: usize) {
        let mut client = self.client();
        until(Duration::from_secs(60), "the modems are ready", || {
            let Ok((_, list)) = client.get("/v1/modems") else { return false };
            list["items"].as_array().is_some_and(|l| l.iter().filter(|m| m["ready"] == true).count() >= modems)
        });
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One kept-open HTTP/1.1 connection, blocking.
pub(crate) struct Http {
    port: u16,
    key: Option<String>,
    stream: Option<BufReader<TcpStream>>,
}

impl Http {
    pub(crate) fn new(port: u16, key: Option<String>) -> Self {
        Self { port, key, stream: None }
    }

    pub(crate) fn get(&mut self, path: &str) -> io::Result<(u16, Value)> {
        self.request("GET", path, None, &[])
    }

    pub(crate) fn post(&mut self, path: &str, body: Value) -> io::Result<(u16, Value)> {
        self.request("POST", path, Some(body), &[])
    }

    /// One request, on the open connection if there is one. An error means that nobody knows whether it was taken.
    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> io::Result<(u16, Value)> {
        let result = self.try_request(method, path, body, headers);
        if result.is_err() {
            self.stream = None;
        }
        result
    }

    fn try_request(
        &mut self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> io::Result<(u16, Value)> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(("127.0.0.1", self.port))?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(Duration::from_secs(70)))?;
                none.insert(BufReader::new(stream))
            }
        };
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: {}\r\n", self.port, body.len());
        if !body.is_empty() {
            head.push_str("Content-Type: application/json\r\n");
        }
        if let Some(key) = &self.key {
            head.push_str(&format!("Authorization: Bearer {key}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.get_mut().write_all(format!("{head}\r\n{body}").as_bytes())?;
        read_response(stream)
    }
}

fn read_response(stream: &mut BufReader<TcpStream>) -> io::Result<(u16, Value)> {
    let broken = || io::Error::new(io::ErrorKind::UnexpectedEof, "the connection broke");
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(broken());
    }
    let status = line.split_whitespace().nth(1).and_then(|s| s.parse().ok()).ok_or_else(broken)?;
    let mut length = 0;
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(broken());
        }
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| broken())?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

/// A plain message for the API.
pub(crate) fn message(to: &str, text: &str) -> Value {
    json!({ "to": to, "text": text })
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback").local_addr().expect("an address").port()
}

/// Sends a signal by name.
pub(crate) fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
}

/// Sends a signal by name; how it ended.
pub(crate) fn end_by(child: &mut Child, name: &str, within: Duration) -> ExitStatus {
    signal(child.id(), name);
    ended(child, within)
}

/// How a child ended, after a signal.
fn ended(child: &mut Child, within: Duration) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        assert!(began.elapsed() < within, "it did not end in {within:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for something, in real time.
pub(crate) fn until(within: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Output goes to a file beside the data, which a failing test leaves behind to be read.
fn quiet<'a>(command: &'a mut Command, dir: &Path, name: &str) -> &'a mut Command {
    let log = File::options().create(true).append(true).open(dir.join(format!("{name}.log"))).expect("a log file");
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log file")).stderr(log)
}
