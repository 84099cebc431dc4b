//! Rewrites the servers of an `OpenAPI` document from the upstream to the address that the client used.
//!
//! Pure functions. The text is parsed once, and only the values that change are replaced in place: white space, order,
//! numbers and escapes around them stay byte for byte.

use std::fmt;
use std::ops::Range;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::proxy::origin_ref::OriginRef;

/// The document with its servers rewritten. `None` means that it stays as it is, because it is not JSON, not `OpenAPI`,
/// or does not name the upstream. `client` is the authority that the client used.
pub(super) fn rewritten(document: &[u8], upstream: OriginRef<'_>, client: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(document).ok()?;
    let values = ServerValues::of(text)
        .ok()
        .filter(|values| values.is_openapi)?;
    let mut edits = values.edits(upstream, client);
    edits.sort_by_key(|edit| edit.range.start);
    (!edits.is_empty()).then(|| apply_edits(document, &edits))
}

/// A value to be replaced, by its position in the text.
struct TextEdit {
    range: Range<usize>,
    new: String,
}

fn apply_edits(document: &[u8], edits: &[TextEdit]) -> Vec<u8> {
    let grown: usize = edits.iter().map(|edit| edit.new.len()).sum();
    let mut new = Vec::with_capacity(document.len() + grown);
    let mut copied = 0;
    for edit in edits {
        new.extend(&document[copied..edit.range.start]);
        new.extend(edit.new.as_bytes());
        copied = edit.range.end;
    }
    new.extend(&document[copied..]);
    new
}

/// The values that may name the upstream, as slices of the text.
struct ServerValues<'t> {
    text: &'t str,
    is_openapi: bool,
    /// `OpenAPI` 3: every `servers` of the document, of path items and of operations, and `server` of links.
    urls: Vec<&'t str>,
    /// Swagger 2.
    host: Option<&'t str>,
    /// Swagger 2: of the document and of operations.
    schemes: Vec<&'t str>,
}

impl<'t> ServerValues<'t> {
    fn of(text: &'t str) -> serde_json::Result<Self> {
        let mut values = Self {
            text,
            is_openapi: false,
            urls: Vec::new(),
            host: None,
            schemes: Vec::new(),
        };
        let mut json = serde_json::Deserializer::from_str(text);
        DocumentVisitor {
            kind: NodeKind::Document,
            values: &mut values,
        }
        .deserialize(&mut json)?;
        json.end()?;
        Ok(values)
    }

    fn edits(&self, upstream: OriginRef<'_>, client: &str) -> Vec<TextEdit> {
        let mut edits = self.server_edits(upstream, client);
        edits.extend(self.host_edits(upstream, client));
        edits
    }

    fn server_edits(&self, upstream: OriginRef<'_>, client: &str) -> Vec<TextEdit> {
        let new_url = |raw: &&'t str| {
            let url: String = serde_json::from_str(raw).ok()?;
            let rest = &url[upstream.prefix_of(url.as_bytes())?..];
            self.edit(raw, &format!("http://{client}{rest}"))
        };
        self.urls.iter().filter_map(new_url).collect()
    }

    /// A missing `host` means the host that served the document, which for its reader is this proxy. `schemes` beside
    /// it still have the scheme of the upstream.
    fn host_edits(&self, upstream: OriginRef<'_>, client: &str) -> Vec<TextEdit> {
        let host: Option<String> = self.host.and_then(|raw| serde_json::from_str(raw).ok());
        let names_upstream = host
            .as_ref()
            .is_none_or(|host| upstream.has_authority(host.as_bytes()));
        if !names_upstream || self.host.is_some() && host.is_none() {
            return Vec::new();
        }
        let new_host = self.host.and_then(|raw| self.edit(raw, &client));
        let new_schemes = self.schemes.iter().filter_map(|raw| {
            let schemes: Vec<String> = serde_json::from_str(raw).ok()?;
            let includes = |scheme: &str| schemes.iter().any(|one| one == scheme);
            let changes = includes(upstream.scheme()) && schemes != ["http"];
            changes.then(|| self.edit(raw, &["http"]))?
        });
        new_host.into_iter().chain(new_schemes).collect()
    }

    fn edit(&self, raw: &str, new: &impl serde::Serialize) -> Option<TextEdit> {
        let start = raw.as_ptr().addr() - self.text.as_ptr().addr();
        Some(TextEdit {
            range: start..start + raw.len(),
            new: serde_json::to_string(new).ok()?,
        })
    }
}

/// The position of a value in the structure of the document.
#[derive(Debug, Clone, Copy)]
enum NodeKind {
    Document,
    Version,
    Host,
    Schemes,
    Servers,
    Server,
    Url,
    Components,
    /// An object whose members are path items, whatever their keys: `paths`, `webhooks` or a callback.
    PathItems,
    PathItem,
    /// An object whose members are operations.
    Operations,
    Operation,
    /// An object whose members are callbacks.
    Callbacks,
    /// An object whose members are responses.
    Responses,
    Response,
    /// An object whose members are links.
    Links,
    Link,
}

impl NodeKind {
    /// What the member `key` of an object is, unless it can contain no server.
    fn member(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Document, "openapi" | "swagger") => Some(Self::Version),
            (Self::Document, "host") => Some(Self::Host),
            (Self::Document, "paths" | "webhooks") | (Self::Components, "pathItems") => {
                Some(Self::PathItems)
            }
            (Self::Document, "components") => Some(Self::Components),
            (Self::Document | Self::Operation, "schemes") => Some(Self::Schemes),
            (Self::Document | Self::PathItem | Self::Operation, "servers") => Some(Self::Servers),
            (Self::Link, "server") => Some(Self::Server),
            (Self::Server, "url") => Some(Self::Url),
            (Self::PathItems, _) => Some(Self::PathItem),
            (
                Self::PathItem,
                "get" | "put" | "post" | "delete" | "options" | "head" | "patch" | "trace"
                | "query",
            )
            | (Self::Operations, _) => Some(Self::Operation),
            (Self::PathItem, "additionalOperations") => Some(Self::Operations),
            (Self::Operation | Self::Components, "callbacks") => Some(Self::Callbacks),
            (Self::Callbacks, _) => Some(Self::PathItems),
            (Self::Operation | Self::Components, "responses") => Some(Self::Responses),
            (Self::Responses, _) => Some(Self::Response),
            (Self::Response | Self::Components, "links") => Some(Self::Links),
            (Self::Links, _) => Some(Self::Link),
            _ => None,
        }
    }

    /// What the elements of an array are.
    const fn element(self) -> Option<Self> {
        match self {
            Self::Servers => Some(Self::Server),
            _ => None,
        }
    }
}

/// Visits one value. A value of an unexpected type is skipped.
struct DocumentVisitor<'f, 't> {
    kind: NodeKind,
    values: &'f mut ServerValues<'t>,
}

impl<'t> DocumentVisitor<'_, 't> {
    fn child(&mut self, kind: NodeKind) -> DocumentVisitor<'_, 't> {
        DocumentVisitor {
            kind,
            values: self.values,
        }
    }
}

impl<'t> DeserializeSeed<'t> for DocumentVisitor<'_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, value: D) -> Result<(), D::Error> {
        match self.kind {
            NodeKind::Url => self
                .values
                .urls
                .push(<&RawValue>::deserialize(value)?.get()),
            NodeKind::Host => self.values.host = Some(<&RawValue>::deserialize(value)?.get()),
            NodeKind::Schemes => self
                .values
                .schemes
                .push(<&RawValue>::deserialize(value)?.get()),
            NodeKind::Version => {
                IgnoredAny::deserialize(value)?;
                self.values.is_openapi = true;
            }
            NodeKind::Document
            | NodeKind::Servers
            | NodeKind::Server
            | NodeKind::Components
            | NodeKind::PathItems
            | NodeKind::PathItem
            | NodeKind::Operations
            | NodeKind::Operation
            | NodeKind::Callbacks
            | NodeKind::Responses
            | NodeKind::Response
            | NodeKind::Links
            | NodeKind::Link => {
                value.deserialize_any(self)?;
            }
        }
        Ok(())
    }
}

impl<'t> Visitor<'t> for DocumentVisitor<'_, 't> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(member) = members.next_key_seed(MemberSeed(self.kind))? {
            match member {
                Some(kind) => members.next_value_seed(self.child(kind))?,
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut elements: A) -> Result<(), A::Error> {
        match self.kind.element() {
            Some(kind) => while elements.next_element_seed(self.child(kind))?.is_some() {},
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

/// Reads a key of an object as what the member is.
struct MemberSeed(NodeKind);

impl<'t> DeserializeSeed<'t> for MemberSeed {
    type Value = Option<NodeKind>;

    fn deserialize<D: Deserializer<'t>>(self, key: D) -> Result<Option<NodeKind>, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for MemberSeed {
    type Value = Option<NodeKind>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<NodeKind>, E> {
        Ok(self.0.member(key))
    }
}

#[cfg(test)]
mod tests;
