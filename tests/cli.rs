//! Ring 3: the real binary, called as people call it.
#![allow(clippy::print_stdout, reason = "a test that skips says so")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A call in an empty world: no variables of ours, a home folder of its own.
fn otpgate(arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Output {
    let home = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_otpgate"))
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("COLUMNS", "120")
        .envs(variables.iter().copied())
        .current_dir(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    // A command that reads nothing may have ended already.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("an end");
    let left: Vec<_> = std::fs::read_dir(home.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert!(left.is_empty(), "otpgate {arguments:?} left {left:?} in the folder it was called from");
    output
}

/// Calls it and compares the exit code and a piece of what it said: on standard output if it is 0, else on the other.
fn check(arguments: &[&str], variables: &[(&str, &str)], code: i32, says: &[&str]) -> String {
    let output = otpgate(arguments, variables, "");
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert_eq!(output.status.code(), Some(code), "otpgate {arguments:?}\n{out}\n{err}");
    for piece in says {
        let said = if code == 0 { &out } else { &err };
        assert!(said.contains(piece), "otpgate {arguments:?} does not say {piece:?}:\n{out}\n{err}");
    }
    assert!(!err.contains("panicked"), "{err}");
    out
}

/// Writes a configuration file, hands its path to the check.
fn with_file(text: &str, then: impl FnOnce(&str)) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("otpgate.toml");
    std::fs::write(&path, text).expect("a file");
    then(path.to_str().expect("a path"));
}

const COMMANDS: &[&str] = &[
    "serve",
    "simulate",
    "send",
    "check",
    "messages",
    "modems",
    "inbox",
    "keys",
    "config",
    "decode",
    "store",
    "completions",
    "man",
];

#[test]
fn help_teaches() {
    let help = check(&["--help"], &[], 0, &["otpgate serve --simulate 2", "otpgate send +", "admin.key"]);
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "--help does not list {command}");
        let own = check(&[command, "--help"], &[], 0, &["Usage: otpgate"]);
        assert!(own.lines().all(|line| line.chars().count() <= 120), "otpgate {command} --help is too wide");
    }
    for command in ["serve", "simulate", "send", "check", "messages", "inbox", "keys", "decode", "completions", "man"] {
        check(&[command, "--help"], &[], 0, &[&format!("Examples:\n  otpgate {command}")]);
    }
    check(&["--version"], &[], 0, &[env!("CARGO_PKG_VERSION")]);
}

#[test]
fn wrong_calls_end_with_2() {
    for arguments in [
        &[] as &[&str],
        &["fly"],
        &["send"],
        &["serve", "--simulate", "0"],
        &["serve", "--simulate", "2", "--modem", "/dev/a"],
        &["serve", "--air-time", "soon", "--simulate", "1"],
        &["simulate", "--pin", "abc"],
        &["simulate", "--pin", ""],
        &["simulate", "--pin", "123456789"],
        &["keys", "create", "shop", "--scope", "everything"],
        &["keys", "create", "shop"],
        &["check", "ver_0"],
        &["inbox", "--wait", "61"],
        &["send", "+14155550100", "--code-length", "3"],
    ] {
        assert_eq!(otpgate(arguments, &[], "").status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn simulate_makes_no_link_when_its_address_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let prefix = folder.path().join("modem");
    let arguments = ["simulate", "--link", prefix.to_str().expect("a path"), "--listen", &address];
    let output = otpgate(&arguments, &[], "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is taken; choose another address with --listen"), "{said}");
    assert!(output.stdout.is_empty(), "no modem is told of: {output:?}");
}

#[test]
fn serve_without_a_country_or_a_modem_names_the_line_to_write() {
    check(&["serve"], &[], 2, &["country = \"US\"", "--modem", "--simulate 2"]);
    check(&["serve", "--modem", "/dev/null"], &[], 2, &["country = \"US\""]);
    check(&["serve", "--supervise"], &[], 2, &["country = \"US\""]);
}

#[test]
fn a_data_folder_that_is_none_is_no_broken_disk() {
    for arguments in [
        &["serve", "--simulate", "1", "--listen", "127.0.0.1:0", "--data-dir", "/dev/null"] as &[&str],
        &["keys", "reset-admin", "--data-dir", "/dev/null/below"],
        &["store", "verify", "--data-dir", "/dev/null"],
    ] {
        check(arguments, &[], 2, &["/dev/null is no folder", "--data-dir"]);
    }
}

#[test]
fn a_wrong_configuration_is_told_with_its_place() {
    with_file("lissten = \"127.0.0.1:1\"\n\n[codes]\nmin_length = \"six\"\n", |path| {
        let says = ["line 1: there is no setting lissten; did you mean listen?", "line 4: codes.min_length must be"];
        check(&["config", "check", "--config", path], &[], 1, &says);
        check(&["serve", "--config", path], &[], 2, &says);
    });
    let variables = [("OTPGATE_DATADIR", "/x")];
    check(&["config", "check", "--simulate", "1"], &variables, 1, &["did you mean OTPGATE_DATA_DIR?"]);
    check(&["config", "check", "--config", "/nowhere.toml"], &[], 1, &["can't read /nowhere.toml"]);
    check(&["serve", "--simulate", "1"], &[("OTPGATE_LOG", "loud")], 2, &["OTPGATE_LOG must be"]);
}

#[test]
fn config_check_shows_what_holds_and_why() {
    with_file("country = \"DE\"\nlisten = \"127.0.0.1:1\"\n[[modem]]\nport = \"/dev/serial/by-id/a\"\n", |path| {
        let arguments = ["config", "check", "--config", path, "--listen", "127.0.0.1:3"];
        let shown = check(&arguments, &[("OTPGATE_DRAIN_SECONDS", "9")], 0, &[]);
        for row in [
            &["listen", "\"127.0.0.1:3\"", "--listen"],
            &["drain_seconds", "9", "OTPGATE_DRAIN_SECONDS"],
            &["country", "\"DE\"", "line 1"],
            &["modem", "[\"/dev/serial/by-id/a\"]", "line 3"],
        ] {
            let found = shown.lines().any(|line| row.iter().all(|piece| line.contains(piece)));
            assert!(found, "{row:?} is not in\n{shown}");
        }
    });
}

#[test]
fn a_config_that_others_may_read_is_told_before_and_at_the_start() {
    with_file("country = \"DE\"\n[[modem]]\nport = \"/dev/serial/by-id/a\"\n", |path| {
        for (mode, told) in [(0o644, true), (0o600, false)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
            let checked = otpgate(&["config", "check", "--config", path], &[], "");
            // It ends at once, since there can be no such folder, but not before it has said what it was started with.
            let serve = ["serve", "--config", path, "--listen", "127.0.0.1:0", "--data-dir", "/dev/null/x"];
            let served = otpgate(&serve, &[], "");
            for output in [checked, served] {
                let err = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(err.contains(&format!("chmod 600 {path}")), told, "{mode:o}: {err}");
            }
        }
    });
}

#[test]
fn client_commands_say_what_to_do_without_a_gateway() {
    // A port that nobody listens at: bound, and given up again.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let url = format!("http://127.0.0.1:{port}");
    for arguments in [
        &["send", "+14155550100"] as &[&str],
        &["check", "ver_1", "123456"],
        &["messages"],
        &["modems"],
        &["inbox"],
        &["keys", "list"],
    ] {
        let variables = [("OTPGATE_URL", url.as_str()), ("OTPGATE_API_KEY", "otpg_x")];
        check(arguments, &variables, 1, &["no gateway listens", "otpgate serve --simulate 2"]);
    }
    check(&["modems", "--url", "https://gate"], &[], 2, &["no TLS"]);
    check(&["modems", "--url", "http://192.0.2.1"], &[], 2, &["OTPGATE_API_KEY"]);
    check(&["modems", "--url", &url, "--data-dir", "/nowhere"], &[], 1, &["/nowhere/admin.key", "OTPGATE_API_KEY"]);
    let variables = [("OTPGATE_API_KEY", "bad\nkey")];
    check(&["modems", "--url", &url], &variables, 2, &["can't be sent"]);
}

#[test]
fn decode_reads_each_kind_of_pdu() {
    // By TS 23.040 §9.2.2: "Hello" to +14155550100; "Hi" from it; a report on number 42.
    let submit = "0001000B914151550501F0000005C8329BFD06";
    let deliver = "00040B914151550501F000006210132135000002C834";
    let report = "00062A0B914151550501F0621013213500006210132135000046";
    for (pdu, says) in [
        (submit, &["SMS-SUBMIT", "+14155550100", "Hello"] as &[&str]),
        (&submit[2..], &["SMS-SUBMIT", "+14155550100", "Hello"]),
        (deliver, &["SMS-DELIVER", "+14155550100", "2026-01-31T12:53:00+00:00", "Hi"]),
        (report, &["SMS-STATUS-REPORT", "42", "0x46"]),
    ] {
        check(&["decode", pdu], &[], 0, says);
        let json = check(&["decode", "--json", pdu], &[], 0, says);
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok_and(|v| v.is_object()), "{json}");
    }
    let piped = otpgate(&["decode", "-"], &[], &format!(" {}\n", submit.to_lowercase()));
    assert!(String::from_utf8_lossy(&piped.stdout).contains("Hello"));
    check(&["decode", "0001"], &[], 1, &["mr at octet 2"]);
    check(&["decode", "hello"], &[], 1, &["hexadecimal"]);
    check(&["decode", "0001zz0B"], &[], 1, &["hex at octet 2"]);
    check(&["decode", " "], &[], 2, &["there is no PDU"]);
}

#[test]
fn completions_and_manual_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = check(&["completions", shell], &[], 0, &["otpgate"]);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    check(&["man"], &[], 0, &[".TH otpgate 1", "otpgate\\-serve"]);
    let folder = tempfile::tempdir().expect("a folder");
    check(&["man", "--dir", folder.path().to_str().expect("a path")], &[], 0, &[]);
    for command in COMMANDS {
        assert!(folder.path().join(format!("otpgate-{command}.1")).exists(), "no page for {command}");
    }
    check(&["man", "--dir", "/nowhere"], &[], 1, &["can't write the manual pages"]);
}

/// `| head` closes the pipe: no error, and no panic.
#[test]
fn a_reader_that_has_had_enough_is_no_fault() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_otpgate"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// systemd's own checker has nothing to say about the unit. Its program is not installed here, so another stands in.
#[test]
fn the_unit_file_is_sound() {
    let unit = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/otpgate.service"));
    let unit = unit.expect("the unit").replace("/usr/bin/otpgate", env!("CARGO_BIN_EXE_otpgate"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("otpgate.service");
    std::fs::write(&path, unit).expect("a file");
    match Command::new("systemd-analyze").arg("verify").arg(&path).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.trim().is_empty(), "{said}");
        }
        Err(_) => println!("SKIPPED: systemd-analyze is not installed"),
    }
}
