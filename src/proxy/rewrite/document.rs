//! An `OpenAPI` document whose servers name the upstream, made to name the client's address.
//!
//! Pure. The text is read once and only the values that change are replaced where they stand, so white
//! space, order, numbers and escapes around them stay byte for byte.

use std::fmt;
use std::ops::Range;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Place;

/// The document with its servers changed; `None` leaves it as it is: no JSON, no `OpenAPI`, or nothing in
/// it names the upstream. `client` is the authority that the client used.
pub(super) fn rewritten(document: &[u8], upstream: Place<'_>, client: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(document).ok()?;
    let found = Found::of(text).ok().filter(|found| found.is_openapi)?;
    let mut edits = found.edits(upstream, client);
    edits.sort_by_key(|edit| edit.at.start);
    (!edits.is_empty()).then(|| spliced(document, &edits))
}

/// A value to be replaced.
struct Edit {
    at: Range<usize>,
    new: String,
}

fn spliced(document: &[u8], edits: &[Edit]) -> Vec<u8> {
    let grown: usize = edits.iter().map(|edit| edit.new.len()).sum();
    let mut new = Vec::with_capacity(document.len() + grown);
    let mut copied = 0;
    for edit in edits {
        new.extend(&document[copied..edit.at.start]);
        new.extend(edit.new.as_bytes());
        copied = edit.at.end;
    }
    new.extend(&document[copied..]);
    new
}

/// The values that may name the upstream, as they stand in the text.
struct Found<'t> {
    text: &'t str,
    is_openapi: bool,
    /// `OpenAPI` 3: `servers` of the document, of its path items and of their operations.
    urls: Vec<&'t str>,
    /// Swagger 2.
    host: Option<&'t str>,
    /// Swagger 2: of the document and of operations.
    schemes: Vec<&'t str>,
}

impl<'t> Found<'t> {
    fn of(text: &'t str) -> serde_json::Result<Self> {
        let mut found = Self {
            text,
            is_openapi: false,
            urls: Vec::new(),
            host: None,
            schemes: Vec::new(),
        };
        let mut json = serde_json::Deserializer::from_str(text);
        Walk {
            at: At::Document,
            found: &mut found,
        }
        .deserialize(&mut json)?;
        json.end()?;
        Ok(found)
    }

    fn edits(&self, upstream: Place<'_>, client: &str) -> Vec<Edit> {
        let mut edits = self.server_edits(upstream, client);
        edits.extend(self.host_edits(upstream, client));
        edits
    }

    fn server_edits(&self, upstream: Place<'_>, client: &str) -> Vec<Edit> {
        let new_url = |raw: &&'t str| {
            let url: String = serde_json::from_str(raw).ok()?;
            let rest = &url[upstream.named_by(url.as_bytes())?..];
            self.edit(raw, &format!("http://{client}{rest}"))
        };
        self.urls.iter().filter_map(new_url).collect()
    }

    /// A missing `host` is the one that the document came from, which for its reader is us; `schemes`
    /// beside it still say how the upstream is spoken to.
    fn host_edits(&self, upstream: Place<'_>, client: &str) -> Vec<Edit> {
        let host: Option<String> = self.host.and_then(|raw| serde_json::from_str(raw).ok());
        let names_upstream = host
            .as_ref()
            .is_none_or(|host| upstream.is(host.as_bytes()));
        if !names_upstream || self.host.is_some() && host.is_none() {
            return Vec::new();
        }
        let new_host = self.host.and_then(|raw| self.edit(raw, &client));
        let new_schemes = self.schemes.iter().filter_map(|raw| {
            let schemes: Vec<String> = serde_json::from_str(raw).ok()?;
            let speaks = |scheme: &str| schemes.iter().any(|one| one == scheme);
            let changes = speaks(upstream.scheme()) && schemes != ["http"];
            changes.then(|| self.edit(raw, &["http"]))?
        });
        new_host.into_iter().chain(new_schemes).collect()
    }

    fn edit(&self, raw: &str, new: &impl serde::Serialize) -> Option<Edit> {
        let start = raw.as_ptr().addr() - self.text.as_ptr().addr();
        Some(Edit {
            at: start..start + raw.len(),
            new: serde_json::to_string(new).ok()?,
        })
    }
}

/// Where in the document a value stands.
#[derive(Debug, Clone, Copy)]
enum At {
    Document,
    Version,
    Host,
    Schemes,
    Servers,
    Server,
    Url,
    Paths,
    PathItem,
    Operation,
}

impl At {
    /// Where a member of an object leads, if it leads to anything that is looked for.
    fn member(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Document, "openapi" | "swagger") => Some(Self::Version),
            (Self::Document, "host") => Some(Self::Host),
            (Self::Document, "paths") => Some(Self::Paths),
            (Self::Document | Self::Operation, "schemes") => Some(Self::Schemes),
            (Self::Document | Self::PathItem | Self::Operation, "servers") => Some(Self::Servers),
            (Self::Server, "url") => Some(Self::Url),
            (Self::Paths, _) => Some(Self::PathItem),
            (
                Self::PathItem,
                "get" | "put" | "post" | "delete" | "options" | "head" | "patch" | "trace"
                | "query",
            ) => Some(Self::Operation),
            _ => None,
        }
    }

    /// Where the elements of an array stand.
    const fn element(self) -> Option<Self> {
        match self {
            Self::Servers => Some(Self::Server),
            Self::Document
            | Self::Version
            | Self::Host
            | Self::Schemes
            | Self::Server
            | Self::Url
            | Self::Paths
            | Self::PathItem
            | Self::Operation => None,
        }
    }
}

/// One value on the way through. What has another type than it should have is passed over.
struct Walk<'f, 't> {
    at: At,
    found: &'f mut Found<'t>,
}

impl<'t> Walk<'_, 't> {
    fn to(&mut self, at: At) -> Walk<'_, 't> {
        Walk {
            at,
            found: self.found,
        }
    }
}

impl<'t> DeserializeSeed<'t> for Walk<'_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, value: D) -> Result<(), D::Error> {
        match self.at {
            At::Url => self.found.urls.push(<&RawValue>::deserialize(value)?.get()),
            At::Host => self.found.host = Some(<&RawValue>::deserialize(value)?.get()),
            At::Schemes => self
                .found
                .schemes
                .push(<&RawValue>::deserialize(value)?.get()),
            At::Version => {
                IgnoredAny::deserialize(value)?;
                self.found.is_openapi = true;
            }
            At::Document | At::Servers | At::Server | At::Paths | At::PathItem | At::Operation => {
                value.deserialize_any(self)?;
            }
        }
        Ok(())
    }
}

impl<'t> Visitor<'t> for Walk<'_, 't> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(leads_to) = members.next_key_seed(Member(self.at))? {
            match leads_to {
                Some(at) => members.next_value_seed(self.to(at))?,
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut elements: A) -> Result<(), A::Error> {
        match self.at.element() {
            Some(at) => while elements.next_element_seed(self.to(at))?.is_some() {},
            None => while elements.next_element::<IgnoredAny>()?.is_some() {},
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A key of an object, as where it leads.
struct Member(At);

impl<'t> DeserializeSeed<'t> for Member {
    type Value = Option<At>;

    fn deserialize<D: Deserializer<'t>>(self, key: D) -> Result<Option<At>, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Member {
    type Value = Option<At>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<At>, E> {
        Ok(self.0.member(key))
    }
}

#[cfg(test)]
mod tests;
