//! A private key from PEM (PKCS#8, PKCS#1, SEC1) or JWK. What was decoded is wiped.

use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject as _};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{KeyError, Pair, SigningKey};
use crate::config::Algorithm;
use crate::credentials::Secret;

impl SigningKey {
    /// Reads the key.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub(in crate::token) fn read(secret: &Secret) -> Result<Self, KeyError> {
        let text = secret.expose().trim_ascii();
        if text.starts_with(b"{") || text.starts_with(b"[") {
            return Jwk::parse(text)?.into_key();
        }
        if !text.windows(11).any(|run| run == b"-----BEGIN ") {
            return Err(KeyError::Unknown);
        }
        let key = PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
            pem::Error::NoItemsFound => other_pem(text),
            _ => KeyError::Pem, // and nothing of it: it may quote the line
        })?;
        let key = Zeroizing::new(key);
        Ok(Self {
            pair: of_der(&key)?,
            named: None,
            meant_for: None,
        })
    }
}

fn other_pem(text: &[u8]) -> KeyError {
    let text = String::from_utf8_lossy(text);
    let has = |label: &str| text.contains(&format!("-----BEGIN {label}-----"));
    if has("ENCRYPTED PRIVATE KEY") {
        KeyError::Encrypted
    } else if has("CERTIFICATE") {
        KeyError::OtherPem("certificate")
    } else if has("PUBLIC KEY") || has("RSA PUBLIC KEY") {
        KeyError::OtherPem("public key")
    } else {
        KeyError::Pem
    }
}

fn of_der(key: &PrivateKeyDer<'_>) -> Result<Pair, KeyError> {
    let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
    match key {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).map(Pair::Rsa),
        PrivateKeyDer::Sec1(der) => {
            EcdsaKeyPair::from_private_key_der(curve, der.secret_sec1_der()).map(Pair::Ec)
        }
        PrivateKeyDer::Pkcs8(der) => {
            let der = der.secret_pkcs8_der();
            RsaKeyPair::from_pkcs8(der)
                .map(Pair::Rsa)
                .or_else(|_| EcdsaKeyPair::from_pkcs8(curve, der).map(Pair::Ec))
        }
        _ => return Err(KeyError::Unsound), // the library may learn new kinds
    }
    .map_err(|_| KeyError::Unsound)
}

/// RFC 7517 4, RFC 7518 6. Borrowed from the secret, so that no copy is left behind.
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
    fn parse(text: &'a [u8]) -> Result<Self, KeyError> {
        if text.starts_with(b"[") {
            return Err(KeyError::KeySet); // serde would take an array for a struct
        }
        let jwk: Self = serde_json::from_slice(text).map_err(|_| KeyError::NoJwk)?;
        if jwk.keys.is_some() {
            return Err(KeyError::KeySet);
        }
        Ok(jwk)
    }

    fn into_key(self) -> Result<SigningKey, KeyError> {
        let pair = match (self.kty, self.crv) {
            (Some("RSA"), _) => Pair::Rsa(self.rsa()?),
            (Some("EC"), Some("P-256")) => Pair::Ec(self.ec()?),
            (Some(_), _) => return Err(KeyError::Kind),
            (None, _) => return Err(KeyError::NoJwk),
        };
        let key = SigningKey {
            pair,
            meant_for: self.meant_for()?,
            named: self.kid,
        };
        key.algorithm(None)?;
        Ok(key)
    }

    fn meant_for(&self) -> Result<Option<Algorithm>, KeyError> {
        match self.alg {
            None => Ok(None),
            Some("RS256") => Ok(Some(Algorithm::Rs256)),
            Some("RS384") => Ok(Some(Algorithm::Rs384)),
            Some("RS512") => Ok(Some(Algorithm::Rs512)),
            Some("ES256") => Ok(Some(Algorithm::Es256)),
            Some(_) => Err(KeyError::Kind),
        }
    }

    fn rsa(&self) -> Result<RsaKeyPair, KeyError> {
        let public_key = PublicKeyComponents {
            n: member(self.n)?,
            e: member(self.e)?,
        };
        if self.d.is_none() {
            return Err(KeyError::PublicOnly);
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
        .map_err(|_| KeyError::Unsound)
    }

    fn ec(&self) -> Result<EcdsaKeyPair, KeyError> {
        let (x, y) = (member(self.x)?, member(self.y)?);
        if self.d.is_none() {
            return Err(KeyError::PublicOnly);
        }
        let point = [&[4][..], &x[..], &y[..]].concat(); // SEC 1 2.3.3
        EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &member(self.d)?[..],
            &point,
        )
        .map_err(|_| KeyError::Unsound)
    }
}

fn member(text: Option<&str>) -> Result<Wiped, KeyError> {
    let text = text.ok_or(KeyError::NoJwk)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::NoJwk)?;
    Ok(Wiped(Zeroizing::new(bytes)))
}

struct Wiped(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::ops::Deref for Wiped {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}
