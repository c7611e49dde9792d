//! Keeps the direction of imports and the invariants that a search can keep. What it says when it fails is what to do.
//!
//! It reads `src/` as text: comments and unit tests are left out, words are compared whole.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn pure_files_are_given_time_randomness_and_bytes() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| is_pure(&source.path)) {
        source.find(IMPURE, &mut wrong);
    }
    tell(&wrong, "a pure file takes time, random bytes and input as arguments; move this into the shell around it");
}

#[test]
fn only_its_own_room_names_a_library() {
    let mut wrong = Vec::new();
    for (words, places) in LIBRARIES {
        for source in sources().iter().filter(|source| !source.is_in(places)) {
            source.find(words, &mut wrong);
        }
    }
    tell(&wrong, "this library is named in one room only; ask that room for what you need");
}

#[test]
fn only_the_quirks_name_a_manufacturer() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.is_in(&["modem/quirks"])) {
        source.find(MANUFACTURERS, &mut wrong);
    }
    tell(&wrong, "what is so for one manufacturer is a row in modem/quirks.rs; ask the row, not the name");
}

#[test]
fn messages_and_commands_meet_in_the_session_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        if source.is_in(&["sms/"]) {
            source.find(&["crate::at", "AT+", "+CMGS", "+CNMI"], &mut wrong);
        }
        if source.is_in(&["at/"]) {
            source.find(&["crate::sms"], &mut wrong);
        }
        let names_both = source.names("crate::at") && source.names("crate::sms");
        if names_both && !source.is_in(&["modem/session"]) {
            wrong.push(format!("src/{}: names both crate::at and crate::sms", source.path));
        }
    }
    tell(&wrong, "at knows no TPDU and sms no AT command; they meet in modem/session.rs");
}

#[test]
fn the_simulator_stands_apart() {
    let mut wrong = Vec::new();
    for source in sources() {
        if source.is_in(&["simulator/"]) {
            let rooms = ["crate::sms", "crate::at", "crate::otp", "crate::dispatch", "crate::store", "crate::http"];
            source.find(&rooms, &mut wrong);
        } else if !source.is_in(&["cli/", "app.rs", "app/", "http/simulator.rs", "lib.rs"]) {
            source.find(&["crate::simulator", "super::simulator"], &mut wrong);
        }
    }
    tell(
        &wrong,
        "the simulator shares no code with what it judges; only cli, app, http/simulator.rs and tests know it",
    );
}

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let room = source.room();
        match ROOMS.iter().find(|(name, _)| *name == room) {
            Some((_, above)) => {
                let above: Vec<String> = above.iter().map(|room| format!("crate::{room}")).collect();
                source.find(&above.iter().map(String::as_str).collect::<Vec<_>>(), &mut wrong);
            }
            None => {
                wrong.push(format!("src/{}: {room} has no row in ROOMS in tests/tidy.rs; give it one", source.path))
            }
        }
    }
    tell(&wrong, "imports go down only: main, cli, app, I/O shells, pure decisions, at and sms, domain");
}

/// `sim` could be the card or the simulator: the one is `sim_card`, the other `simulator`.
#[test]
fn words() {
    let mut wrong = Vec::new();
    for source in sources() {
        source.find(&["todo!", "unimplemented!", "dbg!"], &mut wrong);
        // There stand the modems' own words.
        if !source.is_in(&["at/errors.rs"]) {
            source.find(&["sim"], &mut wrong);
        }
    }
    tell(&wrong, "say sim_card or simulator, never sim alone; and finish what is begun");
}

/// What is committed must make sense to somebody who has this repository and nothing else.
#[test]
fn texts_speak_of_the_project_only() {
    let mut wrong = Vec::new();
    // The folders of whatever machine this is, and the marks of what is not finished.
    let mut words = vec!["TODO".to_owned(), "FIXME".to_owned()];
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned);
    let folders = checkout.into_iter().chain(std::env::var_os("HOME").map(PathBuf::from));
    let own = folders.filter(|folder| folder.parent().is_some() && *folder != std::env::temp_dir());
    words.extend(own.map(|folder| format!("{}/", folder.display())));
    for file in texts() {
        let text = fs::read_to_string(&file).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(*word)) {
                wrong.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    tell(&wrong, "name no folder of one machine, and leave no note to yourself in what is committed");
}

#[test]
fn the_search_itself_works() {
    for (line, word, found) in [
        ("use tokio::io;", "tokio", true),
        ("use tokio_serial::X;", "tokio", false),
        ("let sim = 1;", "sim", true),
        ("let sim_card = simulator();", "sim", false),
        ("crate::at::line", "crate::at", true),
        ("crate::attempt", "crate::at", false),
        ("Instant::now()", "Instant", true),
        ("\"AT+CMGS=1\"", "AT+", true),
        ("todo!()", "todo!", true),
    ] {
        assert_eq!(has_word(line, word), found, "{word} in {line}");
    }
    assert_eq!(without_comment("let a = 1; // tokio"), "let a = 1; ");
    assert_eq!(without_comment("let a = \"http://b\";"), "let a = \"http://b\";");
    assert!(is_pure("sms/pdu/mod.rs") && is_pure("modem/session/send.rs") && is_pure("simulator/modem.rs"));
    assert!(!is_pure("modem/driver.rs") && !is_pure("simulator/pty.rs") && !is_pure("store/mod.rs"));
}

fn tell(wrong: &[String], remedy: &str) {
    assert!(wrong.is_empty(), "\n{}\n{remedy}\n", wrong.join("\n"));
}

/// A source file: its path below `src/`, and its code by lines, without comments and unit tests.
struct Source {
    path: String,
    lines: Vec<String>,
}

impl Source {
    fn read(root: &Path, file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("a source file that can be read");
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let lines = code.lines().map(|line| without_comment(line).to_owned()).collect();
        let path = file.strip_prefix(root).expect("a file below src").to_string_lossy().into_owned();
        Self { path, lines }
    }

    /// The folder or file right below `src/`.
    fn room(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }

    /// Adds every line that has one of these words, whole.
    fn find(&self, words: &[&str], wrong: &mut Vec<String>) {
        for (number, line) in self.lines.iter().enumerate() {
            for word in words.iter().filter(|word| has_word(line, word)) {
                wrong.push(format!("src/{}:{}: {word} in: {}", self.path, number + 1, line.trim()));
            }
        }
    }

    fn names(&self, word: &str) -> bool {
        self.lines.iter().any(|line| has_word(line, word))
    }
}

fn is_pure(path: &str) -> bool {
    let starts = |list: &[&str]| list.iter().any(|start| path.starts_with(start));
    starts(PURE) && !starts(SHELLS)
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().filter(|_| word.starts_with(is_part));
        let after = line[at + word.len()..].chars().next().filter(|_| word.ends_with(is_part));
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

fn without_comment(line: &str) -> &str {
    // Two slashes behind a colon belong to a URL in a string.
    match line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':')) {
        Some((at, _)) => &line[..at],
        None => line,
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let is_test =
        |file: &Path| file.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")));
    let files = walk(&root).into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs"));
    let sources: Vec<Source> = files
        .filter(|file| !is_test(file.strip_prefix(&root).unwrap_or(file)))
        .map(|file| Source::read(&root, &file))
        .collect();
    assert!(sources.len() > 10, "src/ was not found");
    sources
}

fn texts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["README.md", "hardware.md", "CHANGELOG.md", "Cargo.toml", "deny.toml", "clippy.toml"];
    let folders = ["src", "tests", "benches", "fuzz/fuzz_targets", "udev", "systemd", ".ci"];
    let files = files.iter().map(|file| root.join(file)).filter(|file| file.exists());
    // This file has the words itself.
    files
        .chain(folders.iter().flat_map(|folder| walk(&root.join(folder))))
        .filter(|f| !f.ends_with("tests/tidy.rs"))
        .collect()
}

/// All files below a folder, in order of their names.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Files that decide and do not act.
const PURE: &[&str] = &[
    "domain/",
    "sms/",
    "at/",
    "otp/",
    "numbers",
    "simulator/",
    "modem/state",
    "modem/bringup",
    "modem/quirks",
    "modem/recovery",
    "modem/session",
    "dispatch/scheduler",
    "dispatch/router",
    "dispatch/retry",
    "dispatch/quota",
    "webhook/payload",
    "webhook/retry",
    "webhook/schedule",
    "webhook/signature",
    "webhook/target",
];

/// Files in pure rooms that are the I/O around them.
const SHELLS: &[&str] = &["simulator/driver", "simulator/pty", "simulator/standalone"];

const IMPURE: &[&str] = &[
    "tokio",
    "tokio_serial",
    "sled",
    "axum",
    "hyper",
    "rustix",
    "std::fs",
    // An address is a value; these act.
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env",
    "std::process",
    "std::thread",
    "std::io",
    "Instant",
    "SystemTime",
    "rand",
    "HashMap",
    "HashSet",
];

/// Words, and the only places that may have them.
const LIBRARIES: &[(&[&str], &[&str])] = &[
    (&["sled"], &["store/"]),
    (&["axum"], &["http/"]),
    (&["nusb"], &["modem/usb"]),
    (&["rlibphonenumber"], &["numbers"]),
    (&["tokio_rustls", "rustls", "rustls_native_certs"], &["webhook/client"]),
    (&["tokio_serial", "serialport", "rustix::pty", "openpt"], &["modem/serial", "simulator/pty"]),
];

const MANUFACTURERS: &[&str] = &[
    "Huawei",
    "HUAWEI",
    "huawei",
    "Quectel",
    "quectel",
    "SIMCom",
    "simcom",
    "ZTE",
    "zte",
    "Sierra",
    "sierra",
    "Telit",
    "telit",
    "Cinterion",
    "cinterion",
    "Wavecom",
    "wavecom",
];

/// Every room, and the rooms above it, which it may not import.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "webhook",
            "sms",
            "at",
            "otp",
            "modem",
            "dispatch",
            "store",
            "http",
            "ops",
            "simulator",
            "config",
            "app",
            "cli",
        ],
    ),
    (
        "sms",
        &["webhook", "at", "otp", "modem", "dispatch", "store", "http", "ops", "simulator", "config", "app", "cli"],
    ),
    (
        "at",
        &["webhook", "sms", "otp", "modem", "dispatch", "store", "http", "ops", "simulator", "config", "app", "cli"],
    ),
    ("otp", &["webhook", "at", "modem", "dispatch", "store", "http", "ops", "simulator", "config", "app", "cli"]),
    (
        "numbers",
        &[
            "webhook",
            "at",
            "sms",
            "otp",
            "modem",
            "dispatch",
            "store",
            "http",
            "ops",
            "simulator",
            "config",
            "app",
            "cli",
        ],
    ),
    ("config", &["webhook", "at", "sms", "modem", "dispatch", "store", "simulator", "app", "cli"]),
    ("ops", &["webhook", "at", "sms", "otp", "modem", "dispatch", "store", "http", "simulator", "app", "cli"]),
    ("simulator", &["webhook", "at", "sms", "otp", "dispatch", "store", "http", "app", "cli"]),
    ("store", &["at", "http", "simulator", "app", "cli"]),
    ("modem", &["http", "simulator", "app", "cli"]),
    ("webhook", &["at", "sms", "modem", "http", "simulator", "config", "app", "cli"]),
    ("dispatch", &["http", "simulator", "app", "cli"]),
    ("http", &["at", "config", "app", "cli"]),
    ("app", &["cli"]),
    ("cli", &[]),
    ("main", &[]),
    ("lib", &[]),
];
