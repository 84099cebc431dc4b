//! Where a chunked body ends (RFC 9112 section 7.1), as hyper reads it: bytes in, a place in the framing
//! out. Keeps no content and refuses nothing; what hyper refuses has no end here.

/// What the next byte of a chunked body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// The first digit of a size.
    Start,
    /// A further digit, or what ends them.
    Size(u64),
    /// White space behind a size, or what ends it.
    AfterSize(u64),
    /// Of an extension.
    Extension(u64),
    /// The line feed behind a size.
    SizeLf(u64),
    /// Content, of which so much is to come.
    Content(u64),
    /// The carriage return behind content.
    ContentCr,
    /// The line feed behind content.
    ContentLf,
    /// The first of a trailer, or the carriage return of the empty line.
    Line,
    /// Of a trailer.
    Trailer,
    /// The line feed behind a trailer.
    TrailerLf,
    /// The line feed of the empty line.
    LastLf,
    /// None of it: the body has ended.
    Ended,
}

impl Chunks {
    /// Goes through `bytes` as far as they belong to the body. Returns how many do, and the place behind
    /// them; `None` where hyper gives up.
    pub(super) fn follow(self, bytes: &[u8]) -> (usize, Option<Self>) {
        let mut place = self;
        let mut taken = 0;
        while taken < bytes.len() && place != Self::Ended {
            if let Self::Content(left) = place {
                let here = bytes.len() - taken;
                let here = usize::try_from(left).map_or(here, |left| left.min(here));
                taken += here;
                place = match left - here as u64 {
                    0 => Self::ContentCr,
                    left => Self::Content(left),
                };
                continue;
            }
            match place.behind(bytes[taken]) {
                Some(next) => place = next,
                None => return (taken, None),
            }
            taken += 1;
        }
        (taken, Some(place))
    }

    /// The place behind one byte of framing.
    fn behind(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Start, _) => digit(0, byte).map(Self::Size),
            (Self::Size(size) | Self::AfterSize(size), b'\t' | b' ') => Some(Self::AfterSize(size)),
            (Self::Size(size) | Self::AfterSize(size), b';') => Some(Self::Extension(size)),
            (Self::Size(size) | Self::AfterSize(size) | Self::Extension(size), b'\r') => {
                Some(Self::SizeLf(size))
            }
            (Self::Size(size), _) => digit(size, byte).map(Self::Size),
            (Self::Extension(size), byte) => (byte != b'\n').then_some(Self::Extension(size)),
            (Self::SizeLf(0) | Self::TrailerLf, b'\n') => Some(Self::Line),
            (Self::SizeLf(size), b'\n') => Some(Self::Content(size)),
            (Self::ContentCr, b'\r') => Some(Self::ContentLf),
            (Self::ContentLf, b'\n') => Some(Self::Start),
            (Self::Line, b'\r') => Some(Self::LastLf),
            (Self::Trailer, b'\r') => Some(Self::TrailerLf),
            (Self::Line | Self::Trailer, _) => Some(Self::Trailer),
            (Self::LastLf, b'\n') => Some(Self::Ended),
            (
                Self::AfterSize(_)
                | Self::SizeLf(_)
                | Self::Content(_)
                | Self::ContentCr
                | Self::ContentLf
                | Self::TrailerLf
                | Self::LastLf
                | Self::Ended,
                _,
            ) => None,
        }
    }
}

/// One more hexadecimal digit; `None` for anything else, and beyond 64 bits.
fn digit(size: u64, byte: u8) -> Option<u64> {
    let value = char::from(byte).to_digit(16)?;
    size.checked_mul(16)?.checked_add(u64::from(value))
}

#[cfg(test)]
mod tests;
