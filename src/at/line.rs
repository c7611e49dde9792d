//! Framing: bytes in, lines and prompts out.
//!
//! Fed one byte at a time, so that it can't matter how the port chopped them.

use std::fmt;

/// One complete line, without its line end and the blanks around it. May hold a text, a number or a PDU, so `Debug`
/// shows only its prefix and its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// The line for `text`, trimmed. Bytes that are not UTF-8 become U+FFFD.
    pub fn new(text: &[u8]) -> Self {
        Self(String::from_utf8_lossy(text).trim().to_owned())
    }

    /// The text. Not for logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `+CMTI:` of `+CMTI: "SM",3`: the part that may be shown. `None` for a bare line.
    pub fn prefix(&self) -> Option<&str> {
        super::response::prefix(&self.0)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{} bytes]", self.prefix().unwrap_or_default(), self.0.len())
    }
}

/// What the framer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A line that is not blank.
    Line(Line),
    /// `>` as the first byte of a line. Reported at once: no line end follows it.
    Prompt,
    /// So many bytes that are no text: an overlong line, or line noise.
    Noise(usize),
}

/// Splits what the modem says into lines. Holds at most [`MAX_LINE`] bytes.
#[derive(Default)]
pub struct Framer {
    line: Vec<u8>,
    noise: usize,
    overlong: bool,
    after_prompt: bool,
}

impl Framer {
    /// Takes one byte. `prompts` is false while the next line is a foreign text, in which `>` is only a character.
    pub fn push(&mut self, byte: u8, prompts: bool) -> Option<Piece> {
        match byte {
            // 0x1A and ESC come back only as the echo of ours, and end what they end at the modem.
            b'\r' | b'\n' | CTRL_Z | ESC => self.end_of_line(),
            b' ' if self.after_prompt => None,
            b'>' if prompts && self.at_start() => {
                self.after_prompt = true;
                Some(Piece::Prompt)
            }
            0x00..=0x1F | 0x7F | 0xFF => self.count_noise(),
            _ => {
                self.after_prompt = false;
                if self.line.len() < MAX_LINE {
                    self.line.push(byte);
                    None
                } else {
                    self.overlong = true;
                    self.count_noise()
                }
            }
        }
    }

    /// Forgets a line begun: the port was reopened.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn at_start(&self) -> bool {
        self.line.is_empty() && !self.overlong
    }

    fn count_noise(&mut self) -> Option<Piece> {
        self.noise += 1;
        (self.noise >= MAX_LINE).then(|| Piece::Noise(std::mem::take(&mut self.noise)))
    }

    fn end_of_line(&mut self) -> Option<Piece> {
        self.after_prompt = false;
        let noise = std::mem::take(&mut self.noise);
        let text = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.overlong) {
            return Some(Piece::Noise(text.len() + noise));
        }
        let line = Line::new(&text);
        if !line.as_str().is_empty() {
            return Some(Piece::Line(line));
        }
        (noise > 0).then_some(Piece::Noise(noise))
    }
}

impl fmt::Debug for Framer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Framer[{} bytes]", self.line.len())
    }
}

/// Ends a PDU and hands it to the network: the one irreversible byte.
pub const CTRL_Z: u8 = 0x1A;
/// Gives up a prompt.
pub const ESC: u8 = 0x1B;
/// Longest line kept. A PDU line has at most 352 characters, a USSD answer some 600.
pub const MAX_LINE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(bytes: &[u8]) -> Vec<Piece> {
        let mut framer = Framer::default();
        bytes.iter().filter_map(|b| framer.push(*b, true)).collect()
    }

    fn line(text: &str) -> Piece {
        Piece::Line(Line::new(text.as_bytes()))
    }

    #[test]
    fn splits() {
        let long = [b'x'; MAX_LINE + 7];
        let rows: &[(&str, &[u8], Vec<Piece>)] = &[
            ("verbose", b"\r\n+CSQ: 17,99\r\n\r\nOK\r\n", vec![line("+CSQ: 17,99"), line("OK")]),
            ("no leading line end", b"OK\r\n", vec![line("OK")]),
            ("LF only", b"+CSQ: 1,2\nOK\n", vec![line("+CSQ: 1,2"), line("OK")]),
            ("prompt", b"\r\n> ", vec![Piece::Prompt]),
            ("prompt without blank", b"\r\n>", vec![Piece::Prompt]),
            ("prompt with line end", b"\r\n>\r\n", vec![Piece::Prompt]),
            ("prompt after echo", b"AT+CMGS=23\r\r\n> ", vec![line("AT+CMGS=23"), Piece::Prompt]),
            ("prompt glued to echo", b"AT+CMGS=23\r> ", vec![line("AT+CMGS=23"), Piece::Prompt]),
            ("two prompts", b"\r\n> \r\n> ", vec![Piece::Prompt, Piece::Prompt]),
            ("echo of the PDU behind the prompt", b"> 0011\x1a\r\n", vec![Piece::Prompt, line("0011")]),
            ("not at the start", b"a > b\r\n", vec![line("a > b")]),
            ("noise inside", b"\x00\xffO\xffK\x00\r\n", vec![line("OK")]),
            ("noise alone", b"\xff\xff\x00\r\n", vec![Piece::Noise(3)]),
            ("noise before a prompt", b"\xff\x00> ", vec![Piece::Prompt]),
            ("blank lines", b"\r\n\r\n  \r\n", vec![]),
            ("no line end yet", b"+CSQ", vec![]),
        ];
        for (name, bytes, expected) in rows {
            assert_eq!(&pieces(bytes), expected, "{name}");
        }
        assert_eq!(pieces(&[&long[..], b"\r\nOK\r\n"].concat()), [Piece::Noise(MAX_LINE + 7), line("OK")]);
    }

    #[test]
    fn a_text_that_begins_like_a_prompt_is_none() {
        let mut framer = Framer::default();
        let found: Vec<_> = b"> hello\r\n".iter().filter_map(|b| framer.push(*b, false)).collect();
        assert_eq!(found, [line("> hello")]);
    }

    #[test]
    fn endless_noise_is_reported_and_not_kept() {
        let mut framer = Framer::default();
        let found = (0..10 * MAX_LINE).filter_map(|_| framer.push(0xFF, true)).count();
        assert_eq!((found, framer.line.len()), (10, 0));
    }

    #[test]
    fn debug_shows_no_content() {
        let shown = format!("{:?}", [Line::new(b"+CMGR: 0,,29"), Line::new(b"079119"), Line::new(b"my code: 123456")]);
        assert_eq!(shown, "[+CMGR:[12 bytes], [6 bytes], [15 bytes]]");
    }
}
