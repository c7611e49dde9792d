//! Whom a request comes from, and whom it is for.

use super::Settings;
use super::problem::{Kind, Problem};
use crate::domain::network::Network;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The two ends of a connection. The server puts it into each request.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Our end: the address that the peer connected to.
    pub local: SocketAddr,
}

/// Who sent the request: the peer, or, if that is a trusted proxy, the last one in `X-Forwarded-For` that is none.
/// Further left anything may be written by the client itself.
pub(crate) fn client(parts: &Parts, trusted: &[Network]) -> IpAddr {
    let peer = parts.extensions.get::<Connection>().map_or(UNKNOWN, |c| c.peer.ip().to_canonical());
    let is_trusted = |address: IpAddr| trusted.iter().any(|n| n.contains(address));
    if !is_trusted(peer) {
        return peer;
    }
    let lines: Vec<_> = parts.headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).collect();
    let mut client = peer;
    for hop in lines.iter().flat_map(|line| line.split(',')).map(str::trim).rev() {
        // What is not readable was not written by a proxy that deserves trust.
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        client = address.to_canonical();
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// Refuses a request for a host that is not ours. A web page may point a name of its own at this box (DNS
/// rebinding) and so speak to it from inside; but the browser then still says that name.
pub(crate) fn check_host(
    headers: &HeaderMap,
    uri: &Uri,
    local: Option<IpAddr>,
    settings: &Settings,
) -> Result<(), Problem> {
    let bad = |detail| Problem::new(Kind::BadRequest, detail);
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (uri.authority(), hosts.next(), hosts.next()) {
        (_, _, Some(_)) => return Err(bad("The header Host is given twice; give it once.")),
        // The absolute form of a request's target stands above the header (RFC 9112 §3.2.2).
        (Some(authority), _, _) => authority.host().to_owned(),
        (None, Some(value), None) => {
            let host = value.to_str().ok().and_then(|v| v.parse::<axum::http::uri::Authority>().ok());
            host.ok_or_else(|| bad("The header Host can't be read."))?.host().to_owned()
        }
        (None, None, None) => return Err(bad("The header Host is missing.")),
    };
    if is_ours(&host, local, settings) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::UnknownHost,
        "otpgate does not answer to this host name; if it is yours, add it to `allowed_hosts` in the configuration.",
    ))
}

fn is_ours(host: &str, local: Option<IpAddr>, settings: &Settings) -> bool {
    let host = host.trim_end_matches('.');
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        let address = address.to_canonical();
        // An address is no name and can't be rebound; the one connected to counts where all are listened on.
        let listened = settings.listen.iter().map(|l| l.ip()).chain(local);
        return address.is_loopback()
            || listened.map(|l| l.to_canonical()).any(|l| l == address)
            || settings.allowed_hosts.iter().any(|a| a.parse() == Ok(address));
    }
    host.eq_ignore_ascii_case("localhost")
        || settings.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
}

/// The block that counts as one client: behind an IPv6 subscription there are 2^64 addresses.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    #[test]
    fn clients() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "::1"].iter().map(|n| n.parse().unwrap()).collect();
        let rows: &[(&str, &str, &[&str], &str)] = &[
            ("no proxy", "203.0.113.9:1", &[], "203.0.113.9"),
            ("a stranger's header is not believed", "203.0.113.9:1", &["198.51.100.1"], "203.0.113.9"),
            ("behind a proxy", "10.0.0.1:1", &["198.51.100.1"], "198.51.100.1"),
            ("what the client wrote itself is passed over", "10.0.0.1:1", &["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            ("two proxies", "10.0.0.1:1", &["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("two header lines", "10.0.0.1:1", &["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
            ("a proxy's own request", "10.0.0.1:1", &[], "10.0.0.1"),
            ("only proxies", "10.0.0.1:1", &["10.0.0.3"], "10.0.0.3"),
            ("nonsense ends the way", "10.0.0.1:1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("over IPv6", "[::1]:1", &["2001:db8::1"], "2001:db8::1"),
        ];
        for (name, peer, forwarded, expected) in rows {
            let mut request = Request::builder();
            for line in *forwarded {
                request = request.header("x-forwarded-for", *line);
            }
            let peer: SocketAddr = peer.parse().unwrap();
            let (parts, ()) = request.extension(Connection { peer, local: peer }).body(()).unwrap().into_parts();
            assert_eq!(client(&parts, &trusted), expected.parse::<IpAddr>().unwrap(), "{name}");
        }
    }

    #[test]
    fn hosts() {
        let settings = Settings {
            listen: vec!["192.0.2.7:8480".parse().unwrap()],
            allowed_hosts: vec!["sms.example.org".to_owned(), "192.0.2.99".to_owned()],
            ..Settings::default()
        };
        let local = Some("192.0.2.8".parse().unwrap());
        let rows = [
            ("localhost", "ok"),
            ("LOCALHOST:8480", "ok"),
            ("localhost.", "ok"),
            ("127.0.0.1:8480", "ok"),
            ("127.9.9.9", "ok"),
            ("[::1]:8480", "ok"),
            ("192.0.2.7:8480", "ok"),
            ("192.0.2.8", "ok"),
            ("192.0.2.99", "ok"),
            ("sms.example.org", "ok"),
            ("SMS.Example.org:443", "ok"),
            ("192.0.2.9", "UnknownHost"),
            ("evil.example", "UnknownHost"),
            ("localhost.evil.example", "UnknownHost"),
            ("127.0.0.1.evil.example", "UnknownHost"),
            ("xsms.example.org", "UnknownHost"),
            ("a b", "BadRequest"),
            ("", "BadRequest"),
        ];
        let verdict =
            |headers: &HeaderMap, uri: &str| match check_host(headers, &uri.parse().unwrap(), local, &settings) {
                Ok(()) => "ok".to_owned(),
                Err(problem) => format!("{problem:?}").split([' ', ',']).nth(3).unwrap().to_owned(),
            };
        for (host, expected) in rows {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            assert_eq!(verdict(&headers, "/v1/messages"), expected, "{host}");
        }
        assert_eq!(verdict(&HeaderMap::new(), "/"), "BadRequest");
        let ours = HeaderMap::from_iter([(header::HOST, "localhost".parse().unwrap())]);
        assert_eq!(verdict(&ours, "http://evil.example/"), "UnknownHost", "the target stands above the header");
        let mut twice = ours.clone();
        twice.append(header::HOST, "localhost".parse().unwrap());
        assert_eq!(verdict(&twice, "/"), "BadRequest");
    }

    #[test]
    fn an_ipv6_subscriber_is_one_client() {
        let of = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
