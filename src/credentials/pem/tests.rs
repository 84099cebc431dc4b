use super::*;

/// `MDA=` is the DER of nothing, `0`; the test's own check decides what a certificate is.
fn read(file: &[u8]) -> Result<Vec<Vec<u8>>, PemDefect> {
    let read = pem_certificates(file, |certificate| match certificate.first() {
        Some(b'0') => Ok(()),
        _ => Err(CertificateDefect::NotX509),
    })?;
    Ok(read
        .certificates
        .iter()
        .map(|certificate| certificate.to_vec())
        .collect())
}

fn section(label: &str, content: &str) -> String {
    format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----")
}

#[test]
fn every_certificate_is_read_wherever_its_begin_line_stands() {
    let (a, b) = (
        section("CERTIFICATE", "MGE="),
        section("CERTIFICATE", "MGI="),
    );
    let both = Ok(vec![b"0a".to_vec(), b"0b".to_vec()]);
    for file in [
        format!("{a}\n{b}\n"),
        format!("{a}{b}"),
        format!("\u{feff}{a}\n\u{feff}{b}\n"),
        format!("{a}\n{b}\n").replace('\n', "\r\n"),
        format!("{a}\n{b}\n").replace('\n', "\r"),
        format!("{a}\n{b}\n").replace('\n', "\n  "),
        format!("subject=/CN=a\n{a}\n\n# b\n{b}"),
        format!("{a}{b}").replace("MGE=", "M G\nE"),
        format!("{a}{b}").replace("CERTIFICATE", "X509 CERTIFICATE"),
    ] {
        assert_eq!(read(file.as_bytes()), both, "{file:?}");
    }
}

#[test]
fn a_broken_certificate_is_named_by_its_number() {
    use CertificateDefect::{BeginLine, NoEnd, NotBase64, NotX509, Trusted};
    let good = section("CERTIFICATE", "MGE=");
    for (broken, defect) in [
        (section("CERTIFICATE", "!!!"), NotBase64),
        (section("CERTIFICATE", "QUJD"), NotX509),
        (section("CERTIFICATE", ""), NotX509),
        (section("TRUSTED CERTIFICATE", "MGE="), Trusted),
        ("-----BEGIN CERTIFICATE-----\nMGE=".to_owned(), NoEnd),
        (
            "-----BEGIN CERTIFICATE-----\nMGE=\n-----END X-----".to_owned(),
            NoEnd,
        ),
        (
            "-----BEGIN CERTIFICATE----\nMGE=\n-----END CERTIFICATE-----".to_owned(),
            BeginLine,
        ),
    ] {
        let number_two = |number| {
            Err(PemDefect::Broken {
                number,
                count: 2,
                defect,
            })
        };
        assert_eq!(
            read(format!("{good}\n{broken}").as_bytes()),
            number_two(2),
            "{broken}"
        );
        assert_eq!(
            read(format!("{broken}\n{good}").as_bytes()),
            number_two(1),
            "{broken}"
        );
    }
}

#[test]
fn a_file_without_a_certificate_is_described() {
    let utf16: Vec<u8> = "\u{feff}-----BEGIN CERTIFICATE-----"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (file, defect) in [
        (&b""[..], PemDefect::NoCertificate),
        (b"none", PemDefect::NoCertificate),
        (
            section("PRIVATE KEY", "MGE=").as_bytes(),
            PemDefect::NoCertificate,
        ),
        (&utf16, PemDefect::Utf16),
        (&[0x30, 0x82, 1, 2], PemDefect::Der),
    ] {
        assert_eq!(read(file), Err(defect));
    }
}

#[test]
fn other_sections_are_listed() {
    let file = section("CERTIFICATE", "MGE=") + &section("PRIVATE KEY", "MGE=");
    let read = pem_certificates(file.as_bytes(), |_| Ok(())).unwrap();
    assert_eq!(read.other_labels, ["PRIVATE KEY"]);
}
