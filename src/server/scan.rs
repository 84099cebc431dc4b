//! Looks at a request's head before hyper does, for what hyper resolves in silence: a length beside a
//! coding, a repeated length, and a line feed without its carriage return. Two programs in a row may
//! read such a head in two ways, so it is refused (RFC 9112 sections 2.2 and 6.3).
//!
//! A bad line is spoiled in place, in the buffer that hyper is about to parse: hyper then answers 400 and
//! closes. This follows the stream only as far as it must: lines, and the framing of bodies. Behind a head that
//! may leave HTTP nothing is looked at any more: a 101 follows, or the connection's end with any other answer.

use memchr::memchr;

use super::chunks::Chunks;

/// Enough of a line's beginning to know the field and read a length, where a line comes in pieces.
const KEPT_BYTES: usize = 64;

/// What one connection's bytes are, as far as they have come. Public for `benches/guard.rs` alone.
#[derive(Debug, Default)]
pub struct Scan {
    at: At,
    head: Head,
    begun: Begun,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In a head, or where the next one begins.
    #[default]
    Head,
    /// In a body of which so much is to come.
    Body(u64),
    /// In a chunked body.
    Chunked(Chunks),
    /// Behind the last head: bytes of another protocol may follow.
    Left,
    /// Behind a refusal.
    Refused,
}

/// What a head has said so far.
#[derive(Debug, Default)]
struct Head {
    has_lines: bool,
    length: Length,
    has_coding: bool,
    may_upgrade: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Length {
    #[default]
    Absent,
    Of(u64),
    /// hyper refuses it.
    Unreadable,
}

/// The beginning of a line whose end has not come.
#[derive(Debug)]
struct Begun {
    kept: [u8; KEPT_BYTES],
    kept_len: usize,
    last: Option<u8>,
}

impl Default for Begun {
    fn default() -> Self {
        Self {
            kept: [0; KEPT_BYTES],
            kept_len: 0,
            last: None,
        }
    }
}

impl Begun {
    fn add(&mut self, piece: &[u8]) {
        let room = piece.len().min(KEPT_BYTES - self.kept_len);
        self.kept[self.kept_len..self.kept_len + room].copy_from_slice(&piece[..room]);
        self.kept_len += room;
        self.last = piece.last().copied().or(self.last);
    }

    fn clear(&mut self) {
        self.kept_len = 0;
        self.last = None;
    }
}

impl Scan {
    /// Whether no head can follow: another protocol may, and any answer but a 101 must close.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.at == At::Left
    }

    /// Whether a head has begun and not ended.
    #[must_use]
    pub fn is_in_head(&self) -> bool {
        self.at == At::Head && (self.head.has_lines || self.begun.last.is_some())
    }

    /// Looks at what has just come. Returns false once it had to refuse.
    pub fn look(&mut self, mut bytes: &mut [u8]) -> bool {
        while !bytes.is_empty() {
            match self.at {
                At::Left => return true,
                At::Refused => return false,
                At::Body(left) => {
                    let here =
                        usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    let left = left - here as u64;
                    self.at = if left == 0 { At::Head } else { At::Body(left) };
                    bytes = &mut bytes[here..];
                }
                At::Chunked(chunks) => {
                    let (here, place) = chunks.follow(bytes);
                    self.at = match place {
                        Some(Chunks::Ended) => At::Head,
                        Some(place) => At::Chunked(place),
                        None => At::Left, // hyper gives up
                    };
                    bytes = &mut bytes[here..];
                }
                At::Head => {
                    let Some(end) = memchr(b'\n', bytes) else {
                        self.begun.add(bytes);
                        return true;
                    };
                    let (line, rest) = bytes.split_at_mut(end + 1);
                    if !self.take_line(&line[..end]) {
                        line[end] = 0;
                        self.at = At::Refused;
                        return false;
                    }
                    bytes = rest;
                }
            }
        }
        true
    }

    /// A line without its line feed, which came last in one piece or in several. False refuses it.
    fn take_line(&mut self, piece: &[u8]) -> bool {
        if self.begun.last.is_none() {
            return match piece {
                [line @ .., b'\r'] => self.head.take(line).map(|at| self.at = at).is_ok(),
                _ => false,
            };
        }
        self.begun.add(piece);
        let ends_well = self.begun.last == Some(b'\r');
        let kept = &self.begun.kept[..self.begun.kept_len];
        let line = kept.strip_suffix(b"\r").unwrap_or(kept);
        let taken = self.head.take(line);
        self.begun.clear();
        taken.map(|at| self.at = at).is_ok() && ends_well
    }
}

/// A head that has two readings.
struct Ambiguous;

impl Head {
    /// Returns where the stream is behind this line.
    fn take(&mut self, line: &[u8]) -> Result<At, Ambiguous> {
        if line.is_empty() {
            return Ok(self.end());
        }
        if !std::mem::replace(&mut self.has_lines, true) {
            return Ok(At::Head); // the request line
        }
        match line[0] | 0x20 {
            b'c' => {
                if let Some(value) = value_of(line, b"content-length")
                    && std::mem::replace(&mut self.length, Length::of(value)) != Length::Absent
                {
                    return Err(Ambiguous);
                }
            }
            b't' => self.has_coding |= value_of(line, b"transfer-encoding").is_some(),
            b'u' => {
                self.may_upgrade |= value_of(line, b"upgrade").is_some_and(is_passed_on);
            }
            _ => {}
        }
        if self.length != Length::Absent && self.has_coding {
            return Err(Ambiguous);
        }
        Ok(At::Head)
    }

    /// The empty line. Before a request line it says nothing (RFC 9112 section 2.2).
    fn end(&mut self) -> At {
        if !self.has_lines {
            return At::Head;
        }
        let head = std::mem::take(self);
        match head.length {
            // Any other coding ends at hyper or at the guard, and with it the connection.
            _ if head.has_coding => At::Chunked(Chunks::Start),
            Length::Absent | Length::Of(0) if head.may_upgrade => At::Left,
            Length::Absent | Length::Of(0) => At::Head,
            Length::Of(length) => At::Body(length), // no upgrade passes with a body
            Length::Unreadable => At::Left,
        }
    }
}

/// Whether a 101 may follow: never for `h2c`, which Java's client asks for on every request, nor for a list.
fn is_passed_on(protocol: &[u8]) -> bool {
    !protocol.contains(&b',') && !protocol.trim_ascii().eq_ignore_ascii_case(b"h2c")
}

/// What stands behind `name` and its colon.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (own, rest) = line.split_at_checked(name.len())?;
    (own.eq_ignore_ascii_case(name))
        .then_some(rest)?
        .strip_prefix(b":")
}

impl Length {
    fn of(value: &[u8]) -> Self {
        let text = std::str::from_utf8(value.trim_ascii()).ok();
        text.and_then(|text| text.parse().ok())
            .map_or(Self::Unreadable, Self::Of)
    }
}

#[cfg(test)]
mod tests;
