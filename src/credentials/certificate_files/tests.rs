use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

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

/// The error of a pair with these contents, with its remedy.
fn error_of(cert: &str, key: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("cert"), cert).unwrap();
    std::fs::write(path("key"), key).unwrap();
    let files = CertificateFiles {
        to: PresentedTo::Clients,
        cert_file: path("cert"),
        key_file: path("key"),
    };
    match files.check() {
        Ok(_) => String::new(),
        Err(errors) => {
            let error = &errors[0];
            format!("{}: {error}: {}", error.key(), error.remedy())
        }
    }
}

/// What `openssl ecparam -name prime256v1 -genkey -param_enc explicit` writes, as PKCS#8.
const EXPLICIT_KEY: &str = include_str!("explicit_key.pem");
/// `openssl req -x509` for that key.
const EXPLICIT_CERTIFICATE: &str = include_str!("explicit_cert.pem");
/// The same key with the name of its curve.
const NAMED_KEY: &str = include_str!("named_key.pem");

#[test]
fn a_curve_that_is_described_by_its_parameters_is_named_as_the_cause() {
    assert_ne!(EXPLICIT_KEY, NAMED_KEY);
    for key in [EXPLICIT_KEY, NAMED_KEY] {
        let error = error_of(EXPLICIT_CERTIFICATE, key);
        assert!(error.starts_with("tls.cert_file: "), "{error}");
        for part in [
            "parameters instead of its name",
            "-ec_param_enc named_curve",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}

#[test]
fn an_unknown_critical_extension_is_named_as_the_cause() {
    let key = KeyPair::generate().unwrap();
    let certificate = |oid: &[u64], is_critical| {
        let mut params = CertificateParams::default();
        let mut extension = CustomExtension::from_oid_content(oid, vec![5, 0]);
        extension.set_criticality(is_critical);
        params.custom_extensions.push(extension);
        params.self_signed(&key).unwrap().pem()
    };
    assert_eq!(
        error_of(&certificate(&[1, 2, 3, 4], false), &key.serialize_pem()),
        ""
    );
    let error = error_of(&certificate(&[1, 2, 3, 4], true), &key.serialize_pem());
    assert!(error.starts_with("tls.cert_file: "), "{error}");
    for part in [
        "its extension 1.2.3.4 is marked critical",
        "without marking it critical",
    ] {
        assert!(error.contains(part), "{error}");
    }
    // What the library knows is not blamed.
    for oid in KNOWN_TO_WEBPKI {
        let der = certificate(oid, true);
        let error = error_of(&der, &key.serialize_pem());
        assert!(!error.contains("is marked critical"), "{error}");
    }
}

const KNOWN_TO_WEBPKI: [&[u64]; 3] = [&[2, 5, 29, 15], &[2, 5, 29, 31], &[2, 5, 29, 37]];
