//! Checks the raw bytes of request heads before hyper parses them, and rejects what hyper would silently resolve:
//! `Content-Length` beside `Transfer-Encoding`, a repeated `Content-Length`, and a line feed without its carriage
//! return. Two servers in a row may read such a head differently, which allows request smuggling (RFC 9112
//! sections 2.2 and 6.3).
//!
//! To reject a head, the scanner overwrites the offending line feed in the buffer that hyper is about to parse; hyper
//! then responds with 400 and closes the connection. The scanner follows the stream only as far as it must: lines of
//! heads, and the framing of bodies. After a head that may switch protocols it stops, because either a 101 follows or
//! the connection closes after the response.

use memchr::memchr;

use super::chunk_reader::ChunkReader;

/// How much of a line is kept when it arrives in several reads: enough to recognize a field and to read a length.
///
/// A longer line is treated in the same way whether it arrives in one read or in several.
const KEPT_BYTES: usize = 64;

/// The scanner of one connection. Public only for `benches/guard.rs`.
#[derive(Debug, Default)]
pub struct HeadScanner {
    position: StreamPosition,
    head: HeadFraming,
    partial: PartialLine,
}

/// What the next byte of the connection belongs to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum StreamPosition {
    /// A head, or the gap before the next one.
    #[default]
    Head,
    /// A body with this many bytes left.
    Body(u64),
    /// A chunked body.
    Chunked(ChunkReader),
    /// Whatever follows the last head; possibly another protocol.
    AfterHttp,
    /// The scanner has rejected a head.
    Rejected,
}

/// What the lines of the current head say about its body.
#[derive(Debug, Default, PartialEq, Eq)]
struct HeadFraming {
    has_lines: bool,
    length: ContentLength,
    has_coding: bool,
    may_upgrade: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ContentLength {
    #[default]
    Absent,
    Of(u64),
    /// hyper rejects it, or its line is longer than `KEPT_BYTES`.
    Unreadable,
}

/// A line whose line feed has not arrived yet.
#[derive(Debug)]
struct PartialLine {
    kept: [u8; KEPT_BYTES],
    /// Length so far, including what was not kept.
    length: usize,
    last: u8,
}

impl Default for PartialLine {
    fn default() -> Self {
        Self {
            kept: [0; KEPT_BYTES],
            length: 0,
            last: 0,
        }
    }
}

impl PartialLine {
    fn push(&mut self, piece: &[u8]) {
        let start = self.length.min(KEPT_BYTES);
        let kept = piece.len().min(KEPT_BYTES - start);
        self.kept[start..start + kept].copy_from_slice(&piece[..kept]);
        self.length += piece.len();
        self.last = piece.last().copied().unwrap_or(self.last);
    }

    const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl HeadScanner {
    /// Whether no further head can follow: the connection either switches protocols or closes after the response.
    #[must_use]
    pub fn has_left_http(&self) -> bool {
        self.position == StreamPosition::AfterHttp
    }

    /// Whether a head has begun and not ended yet.
    #[must_use]
    pub fn is_in_head(&self) -> bool {
        self.position == StreamPosition::Head && (self.head.has_lines || !self.partial.is_empty())
    }

    /// Scans the bytes that have just arrived. Returns false once a head was rejected.
    pub fn scan(&mut self, mut bytes: &mut [u8]) -> bool {
        while !bytes.is_empty() {
            match self.position {
                StreamPosition::AfterHttp => return true,
                StreamPosition::Rejected => return false,
                StreamPosition::Body(left) => {
                    let here =
                        usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    let left = left - here as u64;
                    self.position = if left == 0 {
                        StreamPosition::Head
                    } else {
                        StreamPosition::Body(left)
                    };
                    bytes = &mut bytes[here..];
                }
                StreamPosition::Chunked(reader) => {
                    let (here, reader) = reader.read(bytes);
                    self.position = match reader {
                        Some(ChunkReader::Ended) => StreamPosition::Head,
                        Some(reader) => StreamPosition::Chunked(reader),
                        None => StreamPosition::AfterHttp, // hyper closes the connection
                    };
                    bytes = &mut bytes[here..];
                }
                StreamPosition::Head => {
                    let Some(end) = memchr(b'\n', bytes) else {
                        self.partial.push(bytes);
                        return true;
                    };
                    let (line, rest) = bytes.split_at_mut(end + 1);
                    if !self.end_line(&line[..end]) {
                        line[end] = 0;
                        self.position = StreamPosition::Rejected;
                        return false;
                    }
                    bytes = rest;
                }
            }
        }
        true
    }

    /// Takes the last piece of a line, without its line feed. Returns false to reject the head.
    fn end_line(&mut self, piece: &[u8]) -> bool {
        if self.partial.is_empty() {
            return match piece {
                [line @ .., b'\r'] => self.take_line(line, line.len()),
                _ => false,
            };
        }
        self.partial.push(piece);
        let PartialLine { kept, length, last } = std::mem::take(&mut self.partial);
        let length = length - 1; // without its last byte, which must be the carriage return
        last == b'\r' && self.take_line(&kept[..length.min(KEPT_BYTES)], length)
    }

    fn take_line(&mut self, line: &[u8], length: usize) -> bool {
        self.head
            .add_line(line, length)
            .map(|position| self.position = position)
            .is_ok()
    }
}

/// The head can be read in two ways.
struct AmbiguousFraming;

impl HeadFraming {
    /// Takes a line of which `line` is at least the first `KEPT_BYTES`, and which has `length` bytes in all. Returns
    /// what follows it.
    fn add_line(&mut self, line: &[u8], length: usize) -> Result<StreamPosition, AmbiguousFraming> {
        if line.is_empty() {
            return Ok(self.end());
        }
        if !std::mem::replace(&mut self.has_lines, true) {
            return Ok(StreamPosition::Head); // the request line
        }
        match line[0] | 0x20 {
            b'c' => {
                if let Some(value) = value_of(line, b"content-length")
                    && std::mem::replace(&mut self.length, ContentLength::read(value, length))
                        != ContentLength::Absent
                {
                    return Err(AmbiguousFraming);
                }
            }
            b't' => self.has_coding |= value_of(line, b"transfer-encoding").is_some(),
            b'u' => {
                self.may_upgrade |= value_of(line, b"upgrade")
                    .is_some_and(|protocol| length > KEPT_BYTES || is_forwarded(protocol));
            }
            _ => {}
        }
        if self.length != ContentLength::Absent && self.has_coding {
            return Err(AmbiguousFraming);
        }
        Ok(StreamPosition::Head)
    }

    /// Takes the empty line. It is ignored before a request line (RFC 9112 section 2.2).
    fn end(&mut self) -> StreamPosition {
        if !self.has_lines {
            return StreamPosition::Head;
        }
        let head = std::mem::take(self);
        match head.length {
            // hyper or the guard rejects any other coding and closes the connection.
            _ if head.has_coding => StreamPosition::Chunked(ChunkReader::Start),
            ContentLength::Absent | ContentLength::Of(0) if head.may_upgrade => {
                StreamPosition::AfterHttp
            }
            ContentLength::Absent | ContentLength::Of(0) => StreamPosition::Head,
            ContentLength::Of(length) => StreamPosition::Body(length), // an upgrade with a body is not forwarded
            ContentLength::Unreadable => StreamPosition::AfterHttp,
        }
    }
}

/// Whether the proxy forwards an upgrade to this protocol, so that a 101 may follow. It never does for a list, nor for
/// `h2c`, which Java's client requests every time.
fn is_forwarded(protocol: &[u8]) -> bool {
    !protocol.contains(&b',') && !protocol.trim_ascii().eq_ignore_ascii_case(b"h2c")
}

/// The rest of `line` after `name` and a colon.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (field, rest) = line.split_at_checked(name.len())?;
    (field.eq_ignore_ascii_case(name))
        .then_some(rest)?
        .strip_prefix(b":")
}

impl ContentLength {
    fn read(value: &[u8], line_length: usize) -> Self {
        if line_length > KEPT_BYTES {
            return Self::Unreadable; // the end of the number may be missing from `value`
        }
        let text = std::str::from_utf8(value.trim_ascii()).ok();
        text.and_then(|text| text.parse().ok())
            .map_or(Self::Unreadable, Self::Of)
    }
}

#[cfg(test)]
mod tests;
