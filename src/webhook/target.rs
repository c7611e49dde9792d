//! Where a webhook may lead: what its URL says, and which addresses it may come to.
//!
//! Whoever may make a webhook must not reach by it what only this box can: its own API, its neighbours, a cloud's metadata
//! service. The rule holds for the address that is connected to, whatever name led there.

use crate::domain::network::Network;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A URL, taken apart. What is connected to and what is asked for there come from this alone, so that no two readers can
/// differ over it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether it is encrypted.
    pub tls: bool,
    /// A name or an address, an IPv6 one without brackets; in lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

/// Which addresses may be connected to.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Blocks that are allowed though they are not public, and may be spoken to unencrypted.
    pub allowed: Vec<Network>,
    /// Where otpgate itself listens.
    pub own: Vec<SocketAddr>,
    /// Names under which a proxy hands requests on to it.
    pub own_names: Vec<String>,
}

/// Why a webhook may not lead there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no URL that can be read.
    Unreadable(&'static str),
    /// It is otpgate itself.
    Own,
    /// An address that nothing allows.
    Never(IpAddr, &'static str),
    /// An address that must be allowed.
    NotAllowed(IpAddr, &'static str),
    /// A name that stands for this machine.
    Localhost,
    /// It would go unencrypted to where that is not allowed.
    Plain(Option<IpAddr>),
}

impl Target {
    /// Reads a URL.
    pub fn parse(url: &str) -> Result<Self, Refused> {
        use Refused::Unreadable as No;
        if url.len() > MAX_URL {
            return Err(No("it has more than 1,000 characters"));
        }
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(No("it may hold printable ASCII only; percent-encode the rest, and write a name as Punycode"));
        }
        let (scheme, rest) = url.split_once("://").ok_or(No(FORM))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(No(FORM)),
        };
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(No("it names a user; put a token into path or query, or check the signature"));
        }
        if path.starts_with('\\') || path.contains('#') {
            return Err(No("it has a backslash before its path, or a fragment"));
        }
        let default = if tls { 443 } else { 80 };
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(No(FORM))?;
                let address: Ipv6Addr = address.parse().map_err(|_| No("its IPv6 address can't be read"))?;
                let port = if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(No(FORM))?) };
                (address.to_string(), port)
            }
            None => {
                let (host, port) = authority.rsplit_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
                (host.to_ascii_lowercase(), port)
            }
        };
        let port = port.map_or(Ok(default), |port| port.parse().map_err(|_| No("its port can't be read")))?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || host.len() > 253 || !host.chars().all(fits) || port == 0 {
            return Err(No("its host or port can't be read"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { tls, host, port, path })
    }

    /// The host as it stands in a URL and in `Host`.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let default = if self.tls { 443 } else { 80 };
        if self.port == default { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Debug for Target {
    /// Without path and query, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.authority())
    }
}

impl Rules {
    /// What can be said of a URL before its name is looked up.
    pub fn check_url(&self, target: &Target) -> Result<(), Refused> {
        let host = target.host.trim_end_matches('.');
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.check(target, SocketAddr::new(address, target.port), None);
        }
        if self.own_names.iter().any(|own| own.eq_ignore_ascii_case(host)) {
            return Err(Refused::Own);
        }
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        if host == "localhost" || host.ends_with(".localhost") {
            return if self.allows(loopback) { Ok(()) } else { Err(Refused::Localhost) };
        }
        // Where nothing is allowed, no name can lead to something that is.
        if !target.tls && self.allowed.is_empty() { Err(Refused::Plain(None)) } else { Ok(()) }
    }

    /// Whether a connection to this address may be made, or used. `local`: our own end of it, once it is made.
    pub fn check(&self, target: &Target, address: SocketAddr, local: Option<IpAddr>) -> Result<(), Refused> {
        let real = unmasked(address.ip());
        if self.own.iter().any(|own| is_own(*own, SocketAddr::new(real, address.port()), local)) {
            return Err(Refused::Own);
        }
        let allowed = self.allows(real);
        match class(real) {
            Class::Never(what) => Err(Refused::Never(address.ip(), what)),
            Class::Special(what) if !allowed => Err(Refused::NotAllowed(address.ip(), what)),
            _ if !target.tls && !allowed => Err(Refused::Plain(Some(address.ip()))),
            _ => Ok(()),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|block| block.contains(address))
    }
}

/// Whether an address is one that otpgate listens on: `own` itself, or, where it listens on all, any of this machine's.
fn is_own(own: SocketAddr, address: SocketAddr, local: Option<IpAddr>) -> bool {
    let here = || address.ip().is_loopback() || local.is_some_and(|local| unmasked(local) == address.ip());
    own.port() == address.port() && (unmasked(own.ip()) == address.ip() || own.ip().is_unspecified() && here())
}

enum Class {
    Public,
    Special(&'static str),
    Never(&'static str),
}

fn class(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(v4) => class_v4(v4),
        IpAddr::V6(v6) => class_v6(v6),
    }
}

/// The registry of special addresses (RFC 6890 and what has been added to it).
fn class_v4(address: Ipv4Addr) -> Class {
    match address.octets() {
        [0, ..] => Class::Never("unspecified"),
        [169, 254, ..] => Class::Never("link-local"),
        [127, ..] => Class::Special("loopback"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Special("private"),
        [100, 64..=127, ..] => Class::Special("a carrier's own"),
        [224..=239, ..] => Class::Special("multicast"),
        [192, 0, 0, _] | [192, 0, 2, _] | [192, 88, 99, _] | [198, 18..=19, ..] | [198, 51, 100, _] => RESERVED,
        [203, 0, 113, _] | [240..=255, ..] => RESERVED,
        _ => Class::Public,
    }
}

fn class_v6(address: Ipv6Addr) -> Class {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Never("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Special("loopback"),
        [0xfe80..=0xfebf, ..] => Class::Never("link-local"),
        [0xfec0..=0xfeff, ..] | [0xfc00..=0xfdff, ..] => Class::Special("private"),
        [0xff00..=0xffff, ..] => Class::Special("multicast"),
        // Teredo hides an IPv4 address behind a mask; documentation; the others of 2001::/23 serve protocols.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => RESERVED,
        [0x2000..=0x3fff, ..] => Class::Public,
        _ => RESERVED,
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped and compatible ones (RFC 4291), NAT64 (RFC 6052, 8215), 6to4 (RFC
/// 3056). Any other is itself.
fn unmasked(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => v4(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x64, 0xff9b, 1, .., high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

impl fmt::Display for Refused {
    /// What is wrong, and the line that would change it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address itself and no other: what more is allowed, whoever writes it decides.
        let line = |address: &IpAddr| {
            let real = unmasked(*address);
            format!("write allow_targets = [\"{real}/{}\"] under [webhook]", if real.is_ipv4() { 32 } else { 128 })
        };
        match self {
            Self::Unreadable(why) => f.write_str(why),
            Self::Own => f.write_str("it leads to otpgate itself, which is never allowed"),
            Self::Never(address, what) => write!(f, "{address} is {what}, which is never allowed"),
            Self::NotAllowed(address, what) => {
                write!(f, "{address} is {what}; if it is a machine of yours, {}", line(address))
            }
            Self::Localhost => {
                write!(f, "it leads to this machine; if that is meant, {}", line(&IpAddr::V4(Ipv4Addr::LOCALHOST)))
            }
            Self::Plain(Some(address)) => {
                write!(f, "it is not encrypted; use https, or, if {address} is a machine of yours, {}", line(address))
            }
            Self::Plain(None) => f.write_str(
                "it is not encrypted; use https, or, if it leads to a machine of yours, write that machine's address \
                 into allow_targets under [webhook], as in allow_targets = [\"10.0.0.0/8\"]",
            ),
        }
    }
}

const RESERVED: Class = Class::Special("reserved");
const FORM: &str = "give a URL as in https://example.org/hooks/otpgate";
/// Characters of a URL, at most.
pub const MAX_URL: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allowed: &[&str], own: &[&str]) -> Rules {
        Rules {
            allowed: allowed.iter().map(|block| block.parse().unwrap()).collect(),
            own: own.iter().map(|own| own.parse().unwrap()).collect(),
            own_names: vec!["sms.example.org".to_owned()],
        }
    }

    fn verdict(rules: &Rules, url: &str) -> String {
        match Target::parse(url).and_then(|target| rules.check_url(&target)) {
            Ok(()) => "ok".to_owned(),
            Err(why) => format!("{why:?}").split(['(', ' ']).next().unwrap().to_owned(),
        }
    }

    #[test]
    fn urls() {
        let parsed = |url: &str| {
            Target::parse(url).map(|t| format!("{} {} {} {} {}", t.tls, t.host, t.port, t.path, t.authority())).ok()
        };
        let rows = [
            ("https://example.org", Some("true example.org 443 / example.org")),
            ("HTTPS://Example.ORG:8443/a?b=c", Some("true example.org 8443 /a?b=c example.org:8443")),
            ("http://example.org?x", Some("false example.org 80 /?x example.org")),
            ("https://[2001:DB8::1]:443/x", Some("true 2001:db8::1 443 /x [2001:db8::1]")),
            ("https://example.org/@me", Some("true example.org 443 /@me example.org")),
            ("https://user:pw@example.org/", None),
            ("https://example.org\\@10.0.0.1/", None),
            ("https://example.org/#x", None),
            ("https:///x", None),
            ("https://", None),
            ("//example.org/", None),
            ("ftp://example.org/", None),
            ("file:///etc/passwd", None),
            ("https://example.org:0/", None),
            ("https://example.org:99999/", None),
            ("https://exa mple.org/", None),
            ("https://example.org/\r\nX: y", None),
            ("https://exämple.org/", None),
            ("https://[::1", None),
            ("https://[::1]x/", None),
            ("https://[::1%25eth0]/", None),
            ("https://example.org%2e/", None),
        ];
        for (url, expected) in rows {
            assert_eq!(parsed(url).as_deref(), expected, "{url:?}");
        }
        assert!(Target::parse(&format!("https://e.org/{}", "x".repeat(MAX_URL))).is_err(), "too long");
    }

    #[test]
    fn what_is_not_public_is_refused_in_every_disguise() {
        let rows = [
            ("8.8.8.8", "ok"),
            ("2606:4700::1", "ok"),
            ("10.1.2.3", "NotAllowed"),
            ("172.16.0.1", "NotAllowed"),
            ("172.32.0.1", "ok"),
            ("192.168.1.1", "NotAllowed"),
            ("100.64.0.1", "NotAllowed"),
            ("127.0.0.1", "NotAllowed"),
            ("127.255.255.254", "NotAllowed"),
            ("169.254.169.254", "Never"),
            ("0.0.0.0", "Never"),
            ("0.1.2.3", "Never"),
            ("224.0.0.1", "NotAllowed"),
            ("255.255.255.255", "NotAllowed"),
            ("192.0.2.1", "NotAllowed"),
            ("198.19.0.1", "NotAllowed"),
            ("::", "Never"),
            ("::1", "NotAllowed"),
            ("fe80::1", "Never"),
            ("febf::1", "Never"),
            ("fec0::1", "NotAllowed"),
            ("fd00:ec2::254", "NotAllowed"),
            ("ff02::1", "NotAllowed"),
            ("2001:db8::1", "NotAllowed"),
            ("2001::1", "NotAllowed"),
            ("::ffff:169.254.169.254", "Never"),
            ("::ffff:10.0.0.1", "NotAllowed"),
            ("::ffff:0:10.0.0.1", "NotAllowed"),
            ("::ffff:8.8.8.8", "ok"),
            ("::10.0.0.1", "NotAllowed"),
            ("64:ff9b::a9fe:a9fe", "Never"),
            ("64:ff9b::10.0.0.1", "NotAllowed"),
            ("64:ff9b:1::10.0.0.1", "NotAllowed"),
            ("2002:a9fe:a9fe::1", "Never"),
            ("2002:7f00:1::", "NotAllowed"),
            ("5f00::1", "NotAllowed"),
        ];
        for (address, expected) in rows {
            let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
            assert_eq!(verdict(&rules(&[], &[]), &format!("https://{host}/")), expected, "{address}");
        }
    }

    #[test]
    fn what_is_allowed_is_allowed_but_for_what_never_is() {
        let rows: [(&[&str], &str, &str); 9] = [
            (&["10.0.0.0/8"], "https://10.1.2.3/", "ok"),
            (&["10.0.0.0/8"], "http://10.1.2.3/", "ok"),
            (&["10.0.0.0/8"], "https://[::ffff:10.1.2.3]/", "ok"),
            (&["10.0.0.0/8"], "https://192.168.0.1/", "NotAllowed"),
            (&["0.0.0.0/0", "::/0"], "https://169.254.169.254/", "Never"),
            (&["0.0.0.0/0", "::/0"], "https://[fe80::1]/", "Never"),
            (&["0.0.0.0/0", "::/0"], "https://0.0.0.0/", "Never"),
            (&["127.0.0.0/8"], "http://localhost:3000/", "ok"),
            (&["10.0.0.0/8"], "http://app.internal/", "ok"),
        ];
        for (allowed, url, expected) in rows {
            assert_eq!(verdict(&rules(allowed, &[]), url), expected, "{allowed:?} {url}");
        }
    }

    #[test]
    fn names_are_judged_as_far_as_they_tell() {
        let rows = [
            ("https://example.org/", "ok"),
            ("http://example.org/", "Plain"),
            ("http://8.8.8.8/", "Plain"),
            ("https://localhost/", "Localhost"),
            ("https://LOCALHOST./", "Localhost"),
            ("https://a.localhost/", "Localhost"),
            ("https://SMS.example.org/", "Own"),
        ];
        for (url, expected) in rows {
            assert_eq!(verdict(&rules(&[], &[]), url), expected, "{url}");
        }
    }

    #[test]
    fn otpgate_itself_is_never_told() {
        let all = &["0.0.0.0/0", "::/0"];
        let rows = [
            ("127.0.0.1:8480", "127.0.0.1:8480", None, true),
            ("127.0.0.1:8480", "[::ffff:127.0.0.1]:8480", None, true),
            ("127.0.0.1:8480", "127.0.0.1:3000", None, false),
            ("0.0.0.0:8480", "127.0.0.2:8480", None, true),
            ("0.0.0.0:8480", "192.168.0.5:8480", None, false),
            ("0.0.0.0:8480", "192.168.0.5:8480", Some("192.168.0.5"), true),
            ("[::]:8480", "192.168.0.5:8480", Some("192.168.0.5"), true),
            ("0.0.0.0:8480", "192.168.0.5:8480", Some("192.168.0.6"), false),
        ];
        let target = Target::parse("http://example.org/").unwrap();
        for (own, address, local, expected) in rows {
            let local = local.map(|local| local.parse().unwrap());
            let checked = rules(all, &[own]).check(&target, address.parse().unwrap(), local);
            assert_eq!(checked == Err(Refused::Own), expected, "{own} {address} {local:?}");
        }
    }

    #[test]
    fn a_refusal_prints_the_line_to_write() {
        let target = Target::parse("https://[::ffff:10.1.2.3]/").unwrap();
        let refused = rules(&[], &[]).check_url(&target).unwrap_err().to_string();
        assert!(refused.contains("allow_targets = [\"10.1.2.3/32\"] under [webhook]"), "{refused}");
    }
}
