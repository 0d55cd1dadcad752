//! Where a request comes from: the peer of its connection, or whom a proxy that we trust names.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap},
};

/// The address that [`client`] found.
pub(super) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical())
}

/// Follows `X-Forwarded-For` from its end, as long as who added an address is trusted. Anybody may write
/// into it, so what stands before the first stranger counts for nothing.
pub fn client(peer: SocketAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> SocketAddr {
    let trusted = |ip: IpAddr| proxies.contains(&ip.to_canonical());
    if !trusted(peer.ip()) {
        return peer;
    }
    let lines = headers.get_all("x-forwarded-for").iter();
    let hops: Vec<&str> =
        lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).collect();
    let mut client = peer;
    for hop in hops.into_iter().rev() {
        let Ok(ip) = hop.trim().parse::<IpAddr>() else { break };
        client = SocketAddr::new(ip, 0);
        if !trusted(ip) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_of(peer: &str, forwarded: &[&'static str]) -> String {
        let proxies = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        client(SocketAddr::new(peer.parse().unwrap(), 1), &headers, &proxies).ip().to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client_of("203.0.113.1", &["198.51.100.7"]), "203.0.113.1");
        assert_eq!(client_of("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client_of("::ffff:10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(client_of("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_a_client_wrote_itself_counts_for_nothing() {
        assert_eq!(client_of("10.0.0.1", &["192.0.2.1, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(client_of("10.0.0.1", &["192.0.2.1", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(client_of("10.0.0.1", &["192.0.2.1, nonsense, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client_of("10.0.0.1", &["nonsense"]), "10.0.0.1");
    }
}
