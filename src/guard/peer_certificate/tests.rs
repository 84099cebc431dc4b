use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

use super::*;

/// A certificate for `orders.example` that expires then, and what withdraws it.
fn certificate(expires: time::OffsetDateTime) -> (PeerCertificate, watch::Sender<bool>) {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::DnsName("orders.example".try_into().unwrap())];
    params.not_after = expires;
    let key = KeyPair::generate().unwrap();
    let issued = params.self_signed(&key).unwrap();
    let (withdraw, is_withdrawn) = watch::channel(false);
    let certificate = PeerCertificate::new(&[issued.der().clone()], &[], is_withdrawn).unwrap();
    (certificate, withdraw)
}

#[test]
fn a_certificate_counts_until_it_expires_or_is_withdrawn() {
    let (valid, withdraw) = certificate(date_time_ymd(4000, 1, 1));
    assert!(valid.is_valid());
    withdraw.send_replace(true);
    assert!(!valid.is_valid());
    let (expired, _withdraw) = certificate(date_time_ymd(2020, 1, 1));
    assert!(!expired.is_valid());
}

#[test]
fn a_certificate_names_only_those_in_its_alternative_names() {
    let (certificate, _withdraw) = certificate(date_time_ymd(4000, 1, 1));
    let dns = |name: &str| CertificateName::parse(name).ok().unwrap();
    assert!(certificate.has(&dns("orders.example")));
    assert!(!certificate.has(&dns("other.example")));
    assert!(!certificate.has(&CertificateName::Uri("orders.example".to_owned())));
    assert!(!certificate.has(&CertificateName::Ip([10, 0, 0, 7].into())));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_certificate_is_noticed_once_it_is_withdrawn_and_not_before() {
    let (certificate, withdraw) = certificate(date_time_ymd(4000, 1, 1));
    let ended = certificate.ended();
    tokio::pin!(ended);
    assert!(
        tokio::time::timeout(CLOCK_INTERVAL * 3, &mut ended)
            .await
            .is_err()
    );
    withdraw.send_replace(true);
    ended.await;
}
