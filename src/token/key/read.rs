//! Reads a private key from PEM (PKCS#8, PKCS#1, SEC1) or JWK. The decoded bytes are wiped.

use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject as _};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::error::PrivateKeyError;
use super::private_key::{PrivateKey, SigningPair};
use crate::config::Algorithm;

impl PrivateKey {
    /// Reads the key.
    ///
    /// # Errors
    /// See [`PrivateKeyError`].
    pub(crate) fn read(secret: &[u8]) -> Result<Self, PrivateKeyError> {
        let text = secret.trim_ascii();
        if text.starts_with(b"{") || text.starts_with(b"[") {
            return match ServiceAccount::parse(text) {
                Some(account) => account.into_key(),
                None => Jwk::parse(text)?.into_key(),
            };
        }
        Self::from_pem(text)
    }

    fn from_pem(text: &[u8]) -> Result<Self, PrivateKeyError> {
        if !text.windows(11).any(|run| run == b"-----BEGIN ") {
            return Err(PrivateKeyError::Unknown);
        }
        let key = PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
            pem::Error::NoItemsFound => other_pem(text),
            _ => PrivateKeyError::Pem, // the error itself may quote the line
        })?;
        let key = Zeroizing::new(key);
        Ok(Self {
            pair: pair_from_der(&key)?,
            jwk_id: None,
            issuer: None,
            jwk_algorithm: None,
        })
    }
}

fn other_pem(text: &[u8]) -> PrivateKeyError {
    let text = String::from_utf8_lossy(text);
    let has = |label: &str| text.contains(&format!("-----BEGIN {label}-----"));
    if has("ENCRYPTED PRIVATE KEY") {
        PrivateKeyError::Encrypted
    } else if has("CERTIFICATE") {
        PrivateKeyError::OtherPem("certificate")
    } else if has("PUBLIC KEY") || has("RSA PUBLIC KEY") {
        PrivateKeyError::OtherPem("public key")
    } else {
        PrivateKeyError::Pem
    }
}

fn pair_from_der(key: &PrivateKeyDer<'_>) -> Result<SigningPair, PrivateKeyError> {
    let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
    match key {
        PrivateKeyDer::Pkcs1(der) => {
            RsaKeyPair::from_der(der.secret_pkcs1_der()).map(SigningPair::Rsa)
        }
        PrivateKeyDer::Sec1(der) => {
            EcdsaKeyPair::from_private_key_der(curve, der.secret_sec1_der()).map(SigningPair::Ec)
        }
        PrivateKeyDer::Pkcs8(der) => {
            let der = der.secret_pkcs8_der();
            RsaKeyPair::from_pkcs8(der)
                .map(SigningPair::Rsa)
                .or_else(|_| EcdsaKeyPair::from_pkcs8(curve, der).map(SigningPair::Ec))
        }
        _ => return Err(PrivateKeyError::Invalid), // `PrivateKeyDer` is non-exhaustive
    }
    .map_err(|_| PrivateKeyError::Invalid)
}

/// Google's service account file.
#[derive(Deserialize)]
struct ServiceAccount<'a> {
    /// PEM with escaped line ends, borrowed so that no copy is left behind.
    #[serde(borrow)]
    private_key: &'a RawValue,
    private_key_id: Option<String>,
    client_email: Option<String>,
}

impl<'a> ServiceAccount<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    fn into_key(self) -> Result<PrivateKey, PrivateKeyError> {
        let escaped = self.private_key.get().trim_matches('"');
        let pem = Zeroizing::new(escaped.replace("\\n", "\n"));
        Ok(PrivateKey {
            jwk_id: self.private_key_id,
            issuer: self.client_email,
            ..PrivateKey::from_pem(pem.trim().as_bytes())?
        })
    }
}

/// A JWK (RFC 7517 4, RFC 7518 6). Borrows from the secret, so that no copy is left behind.
#[derive(Deserialize)]
struct Jwk<'a> {
    kty: Option<&'a str>,
    kid: Option<String>,
    alg: Option<&'a str>,
    crv: Option<&'a str>,
    x: Option<&'a str>,
    y: Option<&'a str>,
    n: Option<&'a str>,
    e: Option<&'a str>,
    d: Option<&'a str>,
    p: Option<&'a str>,
    q: Option<&'a str>,
    dp: Option<&'a str>,
    dq: Option<&'a str>,
    qi: Option<&'a str>,
    keys: Option<serde::de::IgnoredAny>,
}

impl<'a> Jwk<'a> {
    fn parse(text: &'a [u8]) -> Result<Self, PrivateKeyError> {
        if text.starts_with(b"[") {
            return Err(PrivateKeyError::KeySet); // serde would accept an array as a struct
        }
        let jwk: Self = serde_json::from_slice(text).map_err(|_| PrivateKeyError::NotJwk)?;
        if jwk.keys.is_some() {
            return Err(PrivateKeyError::KeySet);
        }
        Ok(jwk)
    }

    fn into_key(self) -> Result<PrivateKey, PrivateKeyError> {
        let pair = match (self.kty, self.crv) {
            (Some("RSA"), _) => SigningPair::Rsa(self.rsa()?),
            (Some("EC"), Some("P-256")) => SigningPair::Ec(self.ec()?),
            (Some(_), _) => return Err(PrivateKeyError::UnsupportedType),
            (None, _) => return Err(PrivateKeyError::NotJwk),
        };
        let key = PrivateKey {
            pair,
            issuer: None,
            jwk_algorithm: self.algorithm()?,
            jwk_id: self.kid,
        };
        key.algorithm(None)?;
        Ok(key)
    }

    fn algorithm(&self) -> Result<Option<Algorithm>, PrivateKeyError> {
        match self.alg {
            None => Ok(None),
            Some("RS256") => Ok(Some(Algorithm::Rs256)),
            Some("RS384") => Ok(Some(Algorithm::Rs384)),
            Some("RS512") => Ok(Some(Algorithm::Rs512)),
            Some("ES256") => Ok(Some(Algorithm::Es256)),
            Some(_) => Err(PrivateKeyError::UnsupportedType),
        }
    }

    fn rsa(&self) -> Result<RsaKeyPair, PrivateKeyError> {
        let public_key = PublicKeyComponents {
            n: member(self.n)?,
            e: member(self.e)?,
        };
        if self.d.is_none() {
            return Err(PrivateKeyError::PublicOnly);
        }
        RsaKeyPair::from_components(&KeyPairComponents {
            public_key,
            d: member(self.d)?,
            p: member(self.p)?,
            q: member(self.q)?,
            dP: member(self.dp)?,
            dQ: member(self.dq)?,
            qInv: member(self.qi)?,
        })
        .map_err(|_| PrivateKeyError::Invalid)
    }

    fn ec(&self) -> Result<EcdsaKeyPair, PrivateKeyError> {
        let (x, y) = (member(self.x)?, member(self.y)?);
        if self.d.is_none() {
            return Err(PrivateKeyError::PublicOnly);
        }
        let point = [&[4][..], &x[..], &y[..]].concat(); // SEC 1 2.3.3
        EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &member(self.d)?[..],
            &point,
        )
        .map_err(|_| PrivateKeyError::Invalid)
    }
}

fn member(text: Option<&str>) -> Result<DecodedMember, PrivateKeyError> {
    let text = text.ok_or(PrivateKeyError::NotJwk)?;
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| PrivateKeyError::NotJwk)?;
    Ok(DecodedMember(Zeroizing::new(bytes)))
}

struct DecodedMember(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for DecodedMember {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::ops::Deref for DecodedMember {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}
