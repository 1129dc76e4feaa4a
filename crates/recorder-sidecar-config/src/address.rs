//! Addresses that the sidecar never asks, whatever name led to them.
//!
//! A name is in other hands than the settings. One that is made to lead to the metadata service of a cloud would have
//! the sidecar show its token there. Private addresses are allowed, since that is where control planes are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Metadata services of clouds at addresses that are not link-local: Alibaba, Azure, Oracle.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// The same for IPv6: Amazon, Google.
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),
];

/// Whether an address may be asked: it is not unspecified, link-local, multicast, reserved or a metadata service, and
/// holds no such address inside (RFC 4291 §2.5.5, RFC 6052, RFC 8215, RFC 3056, RFC 4380).
pub fn may_be_asked(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => may_be_asked_v4(address),
        IpAddr::V6(address) => may_be_asked_v6(address),
    }
}

fn may_be_asked_v4(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    // 240.0.0.0/4 is reserved and ends in the broadcast address.
    let is_reserved = first == 0 || first >= 240;
    !is_reserved
        && !address.is_link_local()
        && !address.is_multicast()
        && !METADATA_V4.contains(&address)
}

fn may_be_asked_v6(address: Ipv6Addr) -> bool {
    if address.is_loopback() {
        return true;
    }
    let parts = address.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        may_be_asked_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // IPv4-compatible, which ends in no address that is in use, and the unspecified address.
        [0, 0, 0, 0, 0, 0, _, _] => false,
        // IPv4-mapped, and NAT64 with the well-known prefix.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            inner(high, low)
        }
        // NAT64 with a prefix of one's own, and Teredo: the address inside has no one place.
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] => false,
        // 6to4.
        [0x2002, high, low, ..] => inner(high, low),
        // Link-local, site-local, multicast.
        [0xfe80..=0xffff, ..] => false,
        _ => !METADATA_V6.contains(&address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> bool {
        may_be_asked(text.parse().unwrap())
    }

    #[test]
    fn private_public_and_own_addresses_may_be_asked() {
        for allowed in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "192.0.2.1",
            "203.0.113.7",
            "100.64.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "223.255.255.255",
            "::1",
            "fd00::1",
            "fc00:1:2::3",
            "2001:db8::1",
            "2606:4700::1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:a00:1::",
        ] {
            assert!(asked(allowed), "{allowed}");
        }
    }

    #[test]
    fn metadata_link_local_multicast_and_unspecified_addresses_may_not_be_asked() {
        for refused in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.0.0",
            "169.254.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "::",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
        ] {
            assert!(!asked(refused), "{refused}");
        }
    }

    #[test]
    fn no_spelling_of_an_address_inside_another_lets_it_through() {
        for refused in [
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::ffff:224.0.0.1",
            "::ffff:100.100.100.200",
            "::169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "64:ff9b:1:a9fe:a9:fe00::",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2002:a9fe:a9fe::1",
            "2002:e000:1::1",
        ] {
            assert!(!asked(refused), "{refused}");
        }
    }
}
