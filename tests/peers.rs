//! The virtual modems judged by programs that others wrote: Gammu and SMS Server Tools.
//!
//! Needs Debian's `gammu` and `smstools`; without them the tests say so and pass, or fail if
//! `OTPGATE_TEST_REQUIRE_PEERS` is set.

use otpgate::domain::time::Wall;
use otpgate::simulator::driver::SimulatorHandle;
use otpgate::simulator::faults::Faults;
use otpgate::simulator::modem::ModemOptions;
use otpgate::simulator::network::NetworkOptions;
use otpgate::simulator::standalone::{self, Options};
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use tokio::process::{Child, Command};

/// More than one part, and two septets for some characters.
fn long_text() -> String {
    "A long message [with brackets] that needs more than one part. ".repeat(6).trim().to_string()
}

const UNICODE: &str = "Ваш код 123456 — ключ 🔑";
const TO: &str = "+14155550100";

/// One virtual modem at `FOLDER/modem0`.
fn simulator(folder: &Path) -> SimulatorHandle {
    let now = Wall::parse("2026-11-23T12:00:00Z").unwrap();
    standalone::run(Options {
        modems: 1,
        link_prefix: folder.join("modem"),
        modem: ModemOptions::default(),
        network: NetworkOptions { epoch: now, ..NetworkOptions::default() },
        faults: Faults::default(),
        log: None,
        seed: 7,
    })
    .unwrap()
}

/// Whether the program is there; says so if not.
#[expect(clippy::print_stdout, reason = "a skipped test must be seen")]
fn have(program: &str) -> bool {
    let found = ["/usr/bin", "/usr/sbin", "/usr/local/bin"].iter().any(|dir| Path::new(dir).join(program).exists());
    if !found {
        println!("SKIPPED: {program} is not installed (apt-get install gammu smstools)");
        assert!(std::env::var_os("OTPGATE_TEST_REQUIRE_PEERS").is_none(), "{program} is required here");
    }
    found
}

async fn gammu(folder: &Path, arguments: &[&str]) -> String {
    let config = folder.join("gammurc");
    fs::write(&config, format!("[gammu]\ndevice = {}\nconnection = at115200\n", folder.join("modem0").display()))
        .unwrap();
    let mut command = Command::new("gammu");
    command.arg("-c").arg(&config).args(arguments).env("LC_ALL", "C.UTF-8").kill_on_drop(true);
    let run = tokio::time::timeout(Duration::from_secs(60), command.output()).await;
    let Output { status, stdout, stderr } = run.expect("gammu did not come to an end").unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "gammu {arguments:?}: {said}\n{}", String::from_utf8_lossy(&stderr));
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gammu_identifies_sends_and_receives() {
    if !have("gammu") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(folder.path());
    let identity = simulator.identity(0).unwrap();

    let said = gammu(folder.path(), &["identify"]).await;
    for part in ["otpgate", "virtual", &identity.imei, &identity.imsi] {
        assert!(said.contains(part), "{part} in {said}");
    }

    gammu(folder.path(), &["sendsms", "TEXT", TO, "-autolen", "500", "-text", &long_text()]).await;
    let inbox = simulator.inbox(Some(TO), Duration::from_secs(5)).await;
    assert_eq!((inbox[0].text.as_str(), inbox[0].is_complete(), inbox[0].total), (long_text().as_str(), true, 3));

    simulator.clear_inbox();
    gammu(folder.path(), &["sendsms", "TEXT", TO, "-unicode", "-text", UNICODE]).await;
    assert_eq!(simulator.inbox(Some(TO), Duration::from_secs(5)).await[0].text, UNICODE);

    simulator.inbound("+14155550199", &identity.number, "Hello from outside");
    simulator.inbound("+14155550199", &identity.number, &long_text());
    let said = gammu(folder.path(), &["getallsms"]).await;
    assert!(said.contains("Hello from outside") && said.contains("+14155550199"), "{said}");
    gammu(folder.path(), &["deleteallsms", "1"]).await;
    let said = gammu(folder.path(), &["getallsms"]).await;
    assert!(!said.contains("Hello from outside"), "{said}");
    simulator.stop().await;
}

/// Waits until `path` holds a file that `wanted` likes, and gives its name and bytes.
async fn file_in(path: &Path, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    for _ in 0..600 {
        for entry in fs::read_dir(path).unwrap() {
            // A file may be renamed between the listing and the reading.
            if let Ok(bytes) = fs::read(entry.unwrap().path()).map_err(drop)
                && wanted(&bytes)
            {
                return bytes;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing of that kind came to {}", path.display());
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|w| w == part.as_bytes())
}

/// SMS Server Tools at work: a process, and one for each modem.
struct Smsd(Child);

impl Drop for Smsd {
    /// All of them, also when the test fails.
    fn drop(&mut self) {
        if let Some(leader) = self.0.id().and_then(|id| rustix::process::Pid::from_raw(id as i32)) {
            rustix::process::kill_process_group(leader, rustix::process::Signal::KILL).unwrap();
        }
    }
}

/// Runs SMS Server Tools over folders of its own.
fn smsd(folder: &Path) -> Smsd {
    for name in ["outgoing", "checked", "failed", "sent", "incoming", "report", "stats", "tmp"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    let d = folder.display();
    let config = format!(
        "devices = GSM1\noutgoing = {d}/outgoing\nchecked = {d}/checked\nfailed = {d}/failed\nsent = {d}/sent\n\
         incoming = {d}/incoming\nreport = {d}/report\nstats = {d}/stats\nlogfile = {d}/smsd.log\nloglevel = 7\n\
         infofile = {d}/smsd.running\npidfile = {d}/smsd.pid\ndelaytime = 1\nerrorsleeptime = 1\nautosplit = 3\n\
         receive_before_send = no\nstore_received_pdu = 0\ndecode_unicode_text = yes\nincoming_utf8 = yes\n\
         [GSM1]\ndevice = {d}/modem0\nincoming = high\nbaudrate = 115200\nreport = yes\nprimary_memory = SM\n\
         memory_start = 1\ncs_convert = yes\n"
    );
    let path = folder.join("smsd.conf");
    fs::write(&path, config).unwrap();
    // In the foreground, with what it starts in a group of its own.
    Smsd(Command::new("smsd").arg("-t").arg("-c").arg(&path).process_group(0).kill_on_drop(true).spawn().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smstools_sends_and_receives() {
    if !have("smsd") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(folder.path());
    let daemon = smsd(folder.path());
    let number = TO.trim_start_matches('+');

    fs::write(folder.path().join("outgoing/long"), format!("To: {number}\n\n{}", long_text())).unwrap();
    let log = || fs::read_to_string(folder.path().join("smsd.log")).unwrap_or_default();
    let inbox = simulator.inbox(Some(TO), Duration::from_secs(30)).await;
    assert!(!inbox.is_empty(), "{}", log());
    file_in(&folder.path().join("sent"), |b| contains(b, "A long message")).await;
    let inbox = simulator.inbox(Some(TO), Duration::ZERO).await;
    assert_eq!((inbox[0].text.as_str(), inbox[0].is_complete()), (long_text().as_str(), true));

    simulator.clear_inbox();
    let octets: Vec<u8> = UNICODE.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let message = [format!("To: {number}\nAlphabet: Unicode\n\n").into_bytes(), octets].concat();
    fs::write(folder.path().join("outgoing/unicode"), message).unwrap();
    assert_eq!(simulator.inbox(Some(TO), Duration::from_secs(30)).await[0].text, UNICODE);

    simulator.inbound("+14155550199", &simulator.identity(0).unwrap().number, "Hello from outside");
    let received = file_in(&folder.path().join("incoming"), |b| contains(b, "Hello from outside")).await;
    assert!(contains(&received, "From: 14155550199"), "{}", String::from_utf8_lossy(&received));
    drop(daemon);
    simulator.stop().await;
}
