//! Dialogues of real devices, read in place.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::print_stdout, reason = "a test says that it was skipped")]

use std::path::PathBuf;

/// One line of a transcript.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// By the host.
    Ours(Vec<u8>),
    /// By the modem.
    Theirs(Vec<u8>),
}

/// A dialogue of a real device.
pub(crate) struct Transcript {
    pub(crate) name: String,
    pub(crate) exact: bool,
    pub(crate) said: Vec<Said>,
}

/// Where the reference material is, if it is here.
pub(crate) fn reference() -> Option<PathBuf> {
    let folder = std::env::var_os("OTPGATE_REFERENCE").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: OTPGATE_REFERENCE names no folder with reference material");
    }
    folder
}

/// All dialogues, by name.
pub(crate) fn transcripts() -> Option<Vec<Transcript>> {
    let folder = reference()?.join("transcripts");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    Some(files.iter().map(|path| transcript(path)).collect())
}

fn transcript(path: &std::path::Path) -> Transcript {
    let text = std::fs::read_to_string(path).unwrap();
    let exact = text.lines().next().is_some_and(|head| head.contains("bytes: exact"));
    let said = text.lines().skip(1).filter(|line| !line.is_empty()).map(|line| {
        let content = line.get(2..).unwrap_or_default();
        let bytes = unescape(content);
        if line.starts_with('>') {
            return Said::Ours(bytes.strip_suffix(b"\r").map(<[u8]>::to_vec).unwrap_or(bytes));
        }
        // Where framing was not recorded, it is what the standard says.
        let framed = exact || bytes.starts_with(b"\r\n");
        Said::Theirs(match content.trim_end() {
            _ if framed => bytes,
            ">" => b"\r\n> ".to_vec(),
            _ => [b"\r\n", &bytes[..], b"\r\n"].concat(),
        })
    });
    Transcript { name: path.file_stem().unwrap().to_string_lossy().into_owned(), exact, said: said.collect() }
}

fn unescape(text: &str) -> Vec<u8> {
    let text = text.replace("\\r", "\r").replace("\\n", "\n").replace("\\x1a", "\x1a").replace("\\x1b", "\x1b");
    text.into_bytes()
}

/// Final results in `bytes`, counted by another rule than the engine's: whole lines.
pub(crate) fn finals(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    let last = |line: &&str| ["OK", "ERROR"].contains(line) || line.starts_with("+CMS ERROR:");
    text.split(['\r', '\n']).filter(last).count()
}
