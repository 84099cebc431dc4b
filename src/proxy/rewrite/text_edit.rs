//! Replaces parts of a text by their position, so that everything around them stays byte for byte.

use std::ops::Range;

/// A part to be replaced.
pub(super) struct TextEdit {
    pub(super) range: Range<usize>,
    pub(super) new: String,
}

impl TextEdit {
    /// Replaces `part`, which must be a slice of `text`.
    pub(super) fn replace(text: &str, part: &str, new: String) -> Self {
        let start = part.as_ptr().addr() - text.as_ptr().addr();
        Self {
            range: start..start + part.len(),
            new,
        }
    }

    /// Removes the member of an object whose value is `value`, a slice of `text`, with its key and one comma. The key
    /// must not contain a quotation mark.
    pub(super) fn remove_member(text: &str, value: &str) -> Option<Self> {
        let value = Self::replace(text, value, String::new()).range;
        let before_colon = text[..value.start].trim_end().strip_suffix(':')?.trim_end();
        let start = before_colon.strip_suffix('"')?.rfind('"')?;
        let before = text[..start].trim_end();
        let after = &text[value.end..];
        let range = if before.ends_with(',') {
            before.len() - 1..value.end
        } else if let Some(rest) = after.trim_start().strip_prefix(',') {
            start..text.len() - rest.len()
        } else {
            start..value.end
        };
        Some(Self {
            range,
            new: String::new(),
        })
    }
}

/// The text with these edits, which must not overlap.
pub(super) fn apply_edits(text: &str, mut edits: Vec<TextEdit>) -> Vec<u8> {
    edits.sort_by_key(|edit| edit.range.start);
    let grown: usize = edits.iter().map(|edit| edit.new.len()).sum();
    let mut new = Vec::with_capacity(text.len() + grown);
    let mut copied = 0;
    for edit in edits {
        new.extend(&text.as_bytes()[copied..edit.range.start]);
        new.extend(edit.new.as_bytes());
        copied = edit.range.end;
    }
    new.extend(&text.as_bytes()[copied..]);
    new
}
