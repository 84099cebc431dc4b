//! Certificates in PEM files (RFC 7468) as people make them: joined without a line end, with a byte order mark,
//! indented, or broken. A certificate is either read or reported, never skipped.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode::Indifferent;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;
use rustls::pki_types::CertificateDer;

use super::certificate_defect::CertificateDefect;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Some programs omit the padding, or the unused bits of the last character are not zero.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What a PEM file contains.
#[derive(Debug, PartialEq, Eq)]
pub struct PemCertificates {
    /// Its certificates, in their order. At least one.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The labels of its other sections, such as `PRIVATE KEY`.
    pub other_labels: Vec<String>,
}

/// Why a file's certificates cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemDefect {
    /// The file holds no certificate.
    #[error("it contains no PEM certificate (\"-----BEGIN CERTIFICATE-----\")")]
    NoCertificate,
    /// The text is not ASCII or UTF-8.
    #[error("it is UTF-16 text")]
    Utf16,
    /// The file has no text at all.
    #[error("it is binary (DER), not PEM")]
    Der,
    /// One of them cannot be read.
    #[error("certificate {number} of {count} is not accepted: {defect}")]
    Broken {
        /// Which one, counted from 1.
        number: usize,
        /// How many the file has.
        count: usize,
        /// What is wrong with it.
        defect: CertificateDefect,
    },
}

impl PemDefect {
    /// How to fix it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NoCertificate => "export the certificate as PEM (-----BEGIN CERTIFICATE-----)",
            Self::Utf16 => "save the file as ASCII or UTF-8",
            Self::Der => "convert it with `openssl x509 -inform der -in FILE -out NEW`",
            Self::Broken { defect, .. } => defect.remedy(),
        }
    }
}

/// The certificates of a PEM file. `check` says whether the content of one can be used.
///
/// # Errors
/// There is no certificate, or one of them is broken.
pub fn pem_certificates(
    file: &[u8],
    check: impl Fn(&CertificateDer<'_>) -> Result<(), CertificateDefect>,
) -> Result<PemCertificates, PemDefect> {
    let (own, other): (Vec<_>, Vec<_>) = sections(file)
        .into_iter()
        .partition(Section::is_certificate);
    if own.is_empty() {
        return Err(without_certificate(file));
    }
    let count = own.len();
    let certificates = own.iter().enumerate().map(|(index, section)| {
        let broken = |defect| PemDefect::Broken {
            number: index + 1,
            count,
            defect,
        };
        let certificate = section.certificate().map_err(broken)?;
        check(&certificate).map_err(broken)?;
        Ok(certificate)
    });
    Ok(PemCertificates {
        certificates: certificates.collect::<Result<_, _>>()?,
        other_labels: other.into_iter().map(|section| section.label).collect(),
    })
}

fn without_certificate(file: &[u8]) -> PemDefect {
    match file {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, b'-', ..] | [b'-', 0, ..] => PemDefect::Utf16,
        [0x30, 0x80..=0x84, ..] => PemDefect::Der,
        _ => PemDefect::NoCertificate,
    }
}

struct Section<'a> {
    label: String,
    content: Result<&'a [u8], CertificateDefect>,
}

impl Section<'_> {
    /// Whether the section is, or tries to be, a certificate.
    fn is_certificate(&self) -> bool {
        matches!(
            self.label.as_str(),
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE"
        ) || self.content == Err(CertificateDefect::BeginLine) && self.label.contains("CERTIFICATE")
    }

    fn certificate(&self) -> Result<CertificateDer<'static>, CertificateDefect> {
        if self.label == "TRUSTED CERTIFICATE" {
            return Err(CertificateDefect::Trusted);
        }
        let text: Vec<u8> = self
            .content?
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        let der = LENIENT
            .decode(text)
            .map_err(|_| CertificateDefect::NotBase64)?;
        Ok(der.into())
    }
}

/// Every section, wherever in a line it begins. What is between them is ignored, which includes byte order marks.
fn sections(mut rest: &[u8]) -> Vec<Section<'_>> {
    let mut found = Vec::new();
    while let Some(start) = memmem::find(rest, BEGIN) {
        rest = &rest[start + BEGIN.len()..];
        let line = rest.split(|byte| matches!(byte, b'\n' | b'\r')).next();
        let line = line.unwrap_or_default();
        let dashes = memmem::find(line, DASHES);
        let label = &line[..dashes.unwrap_or(line.len())];
        let content = match dashes {
            None => Err(CertificateDefect::BeginLine),
            Some(dashes) => {
                rest = &rest[dashes + DASHES.len()..];
                content(rest, label)
            }
        };
        rest = &rest[content.map_or(0, <[u8]>::len)..];
        let label = String::from_utf8_lossy(label).trim().to_owned();
        found.push(Section { label, content });
    }
    found
}

/// What precedes the END line with this label.
fn content<'a>(rest: &'a [u8], label: &[u8]) -> Result<&'a [u8], CertificateDefect> {
    let end = memmem::find(rest, DASHES).ok_or(CertificateDefect::NoEnd)?;
    rest[end..]
        .strip_prefix(END)
        .and_then(|after| after.strip_prefix(label))
        .and_then(|after| after.strip_prefix(DASHES))
        .map(|_| &rest[..end])
        .ok_or(CertificateDefect::NoEnd)
}

#[cfg(test)]
mod tests;
