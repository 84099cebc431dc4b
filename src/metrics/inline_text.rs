//! A short text that is stored where it is used, so that replacing it allocates nothing.

/// A text of at most `MOST` bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct InlineText<const MOST: usize> {
    bytes: [u8; MOST],
    length: usize,
    is_cut: bool,
}

impl<const MOST: usize> InlineText<MOST> {
    pub(super) const EMPTY: Self = Self {
        bytes: [0; MOST],
        length: 0,
        is_cut: false,
    };

    /// Stores as much of `text` as there is room for.
    pub(super) fn set(&mut self, text: &str) {
        if text.is_empty() {
            (self.length, self.is_cut) = (0, false); // as most names and traces are
            return;
        }
        let mut length = text.len().min(MOST);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        self.bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length = length;
        self.is_cut = length < text.len();
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default() // `set` cuts between characters
    }

    /// The text, unless it is empty.
    pub(super) fn filled(&self) -> Option<&str> {
        Some(self.as_str()).filter(|text| !text.is_empty())
    }

    /// Whether the text was longer.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }
}
