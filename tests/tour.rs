//! Ring 3: the way that README leads, with the real binary on both sides; and the supervisor.

mod machine;

use machine::{Gateway, OTPGATE, Simulate, end_by, free_port, signal, until};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const NUMBER: &str = "+14155550123";

/// A command of the client's side, pointed at this gateway.
fn otpgate(gateway: &Gateway, arguments: &[&str]) -> Output {
    Command::new(OTPGATE)
        .args(arguments)
        .env("OTPGATE_URL", format!("http://127.0.0.1:{}", gateway.port))
        .env("OTPGATE_DATA_DIR", &gateway.data)
        .env_remove("OTPGATE_API_KEY")
        .output()
        .expect("the binary")
}

/// The same, which must end with this code; gives standard output, or what went wrong.
fn said(gateway: &Gateway, arguments: &[&str], code: i32) -> String {
    let output = otpgate(gateway, arguments);
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(output.status.code(), Some(code), "otpgate {arguments:?}\n{out}{err}");
    if code == 0 || err.is_empty() { out } else { err }
}

fn json(gateway: &Gateway, arguments: &[&str]) -> Value {
    serde_json::from_str(&said(gateway, arguments, 0)).expect("JSON")
}

fn start(dir: &Path, port: u16, flags: &[&str]) -> Gateway {
    let gateway = Gateway::start(dir, port, &[], &[&["--simulate", "2"], flags].concat());
    // The address is taken before the store is open.
    until(Duration::from_secs(10), "it answers", || otpgate(&gateway, &["modems"]).status.success());
    gateway
}

#[test]
fn send_read_check_as_in_the_readme() {
    let dir = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let mut gateway = start(dir.path(), port, &[]);
    gateway.wait_ready(2);

    let sent = json(&gateway, &["send", NUMBER, "--brand", "Acme", "--purpose", "login", "--wait", "--json"]);
    assert_eq!(sent["message"]["status"], "delivered", "{sent}");
    let id = sent["id"].as_str().expect("an id");
    let inbox = json(&gateway, &["inbox", "--to", NUMBER, "--wait", "--json"]);
    let text = inbox["items"][0]["text"].as_str().expect("a text");
    let code = text.split(' ').next().expect("a code");
    assert!(code.len() == 6 && text.contains("Acme"), "{text}");

    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert!(said(&gateway, &["check", id, wrong], 1).contains("wrong code, 4 attempts left"));
    assert!(said(&gateway, &["check", id, code], 0).contains("approved"));
    assert!(said(&gateway, &["check", id, code], 1).contains("already_approved"), "right once");

    let table = said(&gateway, &["messages"], 0);
    assert!(table.contains("delivered") && !table.contains(code), "{table}");
    let message = said(&gateway, &["messages", sent["message"]["id"].as_str().expect("an id")], 0);
    assert!(message.contains("attempt 1") && message.contains("report delivered"), "{message}");
    assert!(said(&gateway, &["modems"], 0).matches(" ready ").count() == 2);
    assert!(said(&gateway, &["send", "12"], 1).contains("(field to) [invalid_value]"));
    assert!(said(&gateway, &["send", NUMBER, "--text", "hello"], 0).starts_with("msg_"));

    let made = json(&gateway, &["keys", "create", "shop", "--scope", "verify,check", "--json"]);
    let (key, secret) = (made["id"].as_str().expect("an id"), made["key"].as_str().expect("a key"));
    assert!(said(&gateway, &["keys", "list"], 0).contains("shop"));
    assert!(!said(&gateway, &["keys", "list", "--json"], 0).contains(secret));
    said(&gateway, &["keys", "revoke", key], 0);

    // The log has none of it, and nobody sat at a terminal to be shown the key.
    until(Duration::from_secs(5), "the log is written", || log(dir.path()).contains("Submitted"));
    let log_text = log(dir.path());
    for secret in [code, NUMBER, &NUMBER[1..], secret, "otpg_", "hello"] {
        assert!(!log_text.contains(secret), "{secret} is in the log");
    }

    assert!(gateway.terminate(Duration::from_secs(15)).success());
    assert!(said(&gateway, &["store", "verify", "--simulated"], 0).ends_with("sound\n"));
    let gateway = start(dir.path(), port, &[]);
    assert!(said(&gateway, &["messages"], 0).contains("delivered"), "it is there after a restart");
}

#[test]
fn a_lost_admin_key_can_be_replaced_while_the_gateway_is_stopped() {
    let dir = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let mut gateway = start(dir.path(), port, &[]);
    let file = gateway.data.join("admin.key");
    let old = fs::read_to_string(&file).expect("a key");
    assert!(said(&gateway, &["keys", "reset-admin", "--simulated"], 1).contains("open in another process"));
    assert!(gateway.terminate(Duration::from_secs(15)).success());

    assert!(said(&gateway, &["keys", "reset-admin"], 1).contains("--simulate"), "a store of another kind");
    said(&gateway, &["keys", "reset-admin", "--simulated"], 0);
    let gateway = start(dir.path(), port, &[]);
    assert_ne!(fs::read_to_string(&file).expect("a key"), old);
    said(&gateway, &["keys", "list"], 0);
    fs::write(&file, old).expect("the old key back");
    assert!(said(&gateway, &["keys", "list"], 1).contains("[unauthorized]"));
}

#[test]
fn the_supervisor_starts_what_was_killed_and_stops_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut supervisor = start(dir.path(), free_port(), &["--supervise"]);
    let first = child(&supervisor).expect("a child");
    signal(first, "KILL");
    until(Duration::from_secs(10), "another child", || child(&supervisor).is_some_and(|pid| pid != first));
    let second = child(&supervisor).expect("a child");
    until(Duration::from_secs(10), "it answers again", || otpgate(&supervisor, &["modems"]).status.success());
    assert!(supervisor.terminate(Duration::from_secs(15)).success(), "a stop that was asked for is no fault");
    assert!(!lives(second), "the child is gone with it");
}

/// What the end of an SSH session sends.
#[test]
fn a_hang_up_is_a_stop_like_any_other() {
    for flags in [&[] as &[&str], &["--supervise"]] {
        let dir = tempfile::tempdir().expect("a folder");
        let mut gateway = start(dir.path(), free_port(), flags);
        assert!(gateway.end_by("HUP", Duration::from_secs(15)).success(), "{flags:?}");
    }
    let dir = tempfile::tempdir().expect("a folder");
    let mut modems = Simulate::start(dir.path(), 1, &[]);
    assert!(modems.end_by("HUP", Duration::from_secs(5)).success());
    assert!(modems.links[0].symlink_metadata().is_err(), "the link is taken away");
}

/// A start that waits, here to write into a pipe that nobody reads, can be called off.
#[test]
fn a_start_that_waits_heeds_signals() {
    let dir = tempfile::tempdir().expect("a folder");
    let pipe = dir.path().join("admin.new");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let port = free_port();
    let mut child = Command::new(OTPGATE)
        .args(["serve", "--simulate", "1", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"])
        .arg(dir.path())
        .stderr(Stdio::null())
        .spawn()
        .expect("otpgate serve starts");
    until(Duration::from_secs(10), "it has made its master key", || dir.path().join("master.key").exists());
    std::thread::sleep(Duration::from_millis(200));
    assert!(end_by(&mut child, "TERM", Duration::from_secs(5)).success());
}

/// Under `nohup` it goes on, whatever becomes of the terminal.
#[test]
fn a_hang_up_that_is_to_be_ignored_is_ignored() {
    let dir = tempfile::tempdir().expect("a folder");
    let script = format!("trap '' HUP; exec {OTPGATE} simulate --link {}/modem", dir.path().display());
    let mut child = Command::new("sh").args(["-c", &script]).stdout(Stdio::null()).spawn().expect("a shell");
    let link = dir.path().join("modem0");
    until(Duration::from_secs(10), "the modem is there", || link.exists());
    signal(child.id(), "HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert!(link.exists());
    signal(child.id(), "TERM");
    assert!(child.wait().expect("an end").success());
}

/// What no start mends is tried once, and told.
#[test]
fn the_supervisor_does_not_start_again_without_the_right_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut gateway = start(dir.path(), free_port(), &[]);
    assert!(gateway.terminate(Duration::from_secs(15)).success());
    let serve = |flags: &[&str]| {
        let listen = ["--listen", "127.0.0.1:0"];
        let output =
            Command::new(OTPGATE).arg("serve").args(listen).args(flags).arg("--data-dir").arg(&gateway.data).output();
        let output = output.expect("the binary");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    fs::write(gateway.data.join("master.key"), "0f".repeat(32)).expect("another key");
    let (code, said) = serve(&["--simulate", "1", "--supervise"]);
    assert!(code == Some(2) && said.contains("master key"), "{code:?} {said}");
    fs::remove_file(gateway.data.join("master.key")).expect("the key");
    let (code, said) = serve(&["--simulate", "1", "--supervise"]);
    assert!(code == Some(2) && said.contains("put it back"), "{code:?} {said}");
}

#[test]
fn a_supervisor_that_is_killed_leaves_no_child_behind() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut supervisor = start(dir.path(), free_port(), &["--supervise"]);
    let pid = child(&supervisor).expect("a child");
    supervisor.kill();
    until(Duration::from_secs(15), "the child ends", || !lives(pid));
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join("serve.log")).unwrap_or_default()
}

fn child(gateway: &Gateway) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", gateway.pid())).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Whether it runs; one that nobody has waited for yet does not.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}
