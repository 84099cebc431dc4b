//! Finds the end of a chunked body (RFC 9112 section 7.1) the way hyper does. The reader keeps no content. A body that
//! hyper rejects has no end here; what hyper accepts but other servers read differently is rejected: a line feed
//! without its carriage return in the trailer section, where hyper looks only for the final empty line.

/// A position in a chunked body, named after what the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkReader {
    /// The first digit of a chunk size.
    Start,
    /// A further digit, or what follows the digits.
    Size(u64),
    /// White space after a size, or what follows it.
    AfterSize(u64),
    /// Part of a chunk extension.
    Extension(u64),
    /// The line feed after a size.
    SizeLf(u64),
    /// Content with this many bytes left.
    Content(u64),
    /// The carriage return after the content.
    ContentCr,
    /// The line feed after the content.
    ContentLf,
    /// The first byte of a trailer field, or the carriage return of the final empty line.
    TrailerStart,
    /// Part of a trailer field.
    Trailer,
    /// The line feed after a trailer field.
    TrailerLf,
    /// The line feed of the final empty line.
    FinalLf,
    /// The body has ended; the next byte belongs to something else.
    Ended,
    /// The next byte is a line feed in the trailer section, without its carriage return. Nothing follows it.
    BareLineFeed,
}

impl ChunkReader {
    /// Reads `bytes` as far as they belong to the body. Returns how many do, and the position after them: `None` where
    /// hyper rejects the body, and `BareLineFeed` where we do.
    pub(super) fn read(self, bytes: &[u8]) -> (usize, Option<Self>) {
        let mut reader = self;
        let mut taken = 0;
        while taken < bytes.len() && !matches!(reader, Self::Ended | Self::BareLineFeed) {
            if let Self::Content(left) = reader {
                let here = bytes.len() - taken;
                let here = usize::try_from(left).map_or(here, |left| left.min(here));
                taken += here;
                reader = match left - here as u64 {
                    0 => Self::ContentCr,
                    left => Self::Content(left),
                };
                continue;
            }
            match reader.after(bytes[taken]) {
                Some(Self::BareLineFeed) => return (taken, Some(Self::BareLineFeed)),
                Some(next) => reader = next,
                None => return (taken, None),
            }
            taken += 1;
        }
        (taken, Some(reader))
    }

    /// The position after one byte of framing.
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Start, _) => push_digit(0, byte).map(Self::Size),
            (Self::Size(size) | Self::AfterSize(size), b'\t' | b' ') => Some(Self::AfterSize(size)),
            (Self::Size(size) | Self::AfterSize(size), b';') => Some(Self::Extension(size)),
            (Self::Size(size) | Self::AfterSize(size) | Self::Extension(size), b'\r') => {
                Some(Self::SizeLf(size))
            }
            (Self::Size(size), _) => push_digit(size, byte).map(Self::Size),
            (Self::Extension(size), byte) => (byte != b'\n').then_some(Self::Extension(size)),
            (Self::SizeLf(0) | Self::TrailerLf, b'\n') => Some(Self::TrailerStart),
            (Self::SizeLf(size), b'\n') => Some(Self::Content(size)),
            (Self::ContentCr, b'\r') => Some(Self::ContentLf),
            (Self::ContentLf, b'\n') => Some(Self::Start),
            (Self::TrailerStart, b'\r') => Some(Self::FinalLf),
            (Self::Trailer, b'\r') => Some(Self::TrailerLf),
            (Self::TrailerStart | Self::Trailer, b'\n') => Some(Self::BareLineFeed),
            (Self::TrailerStart | Self::Trailer, _) => Some(Self::Trailer),
            (Self::FinalLf, b'\n') => Some(Self::Ended),
            (
                Self::AfterSize(_)
                | Self::SizeLf(_)
                | Self::Content(_)
                | Self::ContentCr
                | Self::ContentLf
                | Self::TrailerLf
                | Self::FinalLf
                | Self::Ended
                | Self::BareLineFeed,
                _,
            ) => None,
        }
    }
}

/// Appends one hexadecimal digit to `size`. `None` if it is not a digit, or the result exceeds 64 bits.
fn push_digit(size: u64, byte: u8) -> Option<u64> {
    let value = char::from(byte).to_digit(16)?;
    size.checked_mul(16)?.checked_add(u64::from(value))
}

#[cfg(test)]
mod tests;
