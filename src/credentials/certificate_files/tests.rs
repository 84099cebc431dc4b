use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use super::*;

/// A certificate of this name, which ends in this year.
fn certificate(
    name: &str,
    year: i32,
    issuer: Option<&Issuer<'static, KeyPair>>,
) -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    (certificate.der().clone(), Issuer::new(params, key))
}

fn year(end: Duration) -> i64 {
    1970 + i64::try_from(end.as_secs()).unwrap() / 31_556_952
}

#[test]
fn a_chain_ends_with_the_first_certificate_to_expire_up_to_the_authority() {
    let (root, by_root) = certificate("root", 2041, None);
    let (upper, by_upper) = certificate("upper", 2040, Some(&by_root));
    let (renewed, _) = certificate("upper", 2050, Some(&by_root));
    let (lower, by_lower) = certificate("lower", 2060, Some(&by_upper));
    let (leaf, _) = certificate("leaf", 2070, Some(&by_lower));
    let (stranger, _) = certificate("stranger", 2030, None);
    let ends = |chain: &[&CertificateDer<'static>], authority: &CertificateDer<'static>| {
        let chain: Vec<_> = chain.iter().map(|one| (*one).clone()).collect();
        year(chain_end(&chain, std::slice::from_ref(authority)).unwrap())
    };
    assert_eq!(ends(&[&leaf], &lower), 2070);
    assert_eq!(ends(&[&leaf, &lower], &upper), 2060);
    assert_eq!(ends(&[&leaf, &lower, &upper], &root), 2040);
    assert_eq!(ends(&[&leaf, &upper, &lower], &root), 2040, "in any order");
    assert_eq!(ends(&[&leaf, &lower, &upper, &renewed], &root), 2050);
    assert_eq!(ends(&[&leaf, &lower, &upper, &stranger], &root), 2040);
    // What leads further than to the authority was not verified.
    assert_eq!(ends(&[&leaf, &lower, &upper, &root], &upper), 2060);
    assert_eq!(chain_end(&[], &[]), None);
    // Our own ends with an intermediate certificate too, but not with a root, of which peers have their own.
    let (old_root, _) = certificate("root", 2020, None);
    let own = [&leaf, &lower, &upper, &old_root].map(Clone::clone);
    assert_eq!(year(not_after(&own).unwrap()), 2040);
    assert_eq!(year(not_after(&own[..1]).unwrap()), 2070);
    assert_eq!(not_after(&[]), None);
}
