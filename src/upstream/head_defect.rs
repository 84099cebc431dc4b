//! What is wrong with the head of a response that hyper rejects. hyper says only that it is invalid; this file reads
//! the same bytes again, to name the cause. Of these bytes it repeats only the names of usual fields.

use std::fmt;

use super::field_limit::FieldLimit;
use super::known_words::known_field;

/// The most that hyper buffers of a head.
const MAX_HEAD_KIB: usize = 408;

/// The limit for an upstream that has sent too many fields once.
const RAISED_LIMIT: usize = FieldLimit::Raised.fields();

/// Why a response head was rejected. Fields are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadDefect {
    /// The bytes are not HTTP/1.
    NotHttp,
    /// `HTTP/1.1`, but no status code of three digits.
    StatusLine,
    /// A field continues on the next line (obs-fold, RFC 9112 section 5.2).
    Folded(NamedField),
    /// A line without a colon.
    NoColon {
        /// Which field it would be.
        number: usize,
    },
    /// A field name with a character that no name may contain.
    InvalidName {
        /// Which field it is.
        number: usize,
    },
    /// A value with a control character.
    InvalidValue(NamedField),
    /// More fields than the connection accepts.
    TooManyFields {
        /// How many fields have arrived.
        count: usize,
        /// The head has arrived completely, so that there are no more.
        is_complete: bool,
        /// How many are accepted.
        limit: usize,
    },
    /// The head does not fit into hyper's buffer.
    TooLong,
}

/// A field, by its name if that is a usual one, otherwise only by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedField {
    number: usize,
    name: Option<&'static str>,
}

impl fmt::Display for NamedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "the field \"{name}\""),
            None => write!(f, "field {}", self.number),
        }
    }
}

impl fmt::Display for HeadDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttp => f.write_str("it does not begin with \"HTTP/1.\""),
            Self::StatusLine => f.write_str("its first line has no status code of three digits"),
            Self::Folded(field) => write!(
                f,
                "{field} is folded over several lines, which HTTP/1.1 no longer allows (RFC 9112 section 5.2)"
            ),
            Self::NoColon { number } => write!(f, "line {number} of its fields has no colon"),
            Self::InvalidName { number } => write!(
                f,
                "the name of field {number} has a character that no field name may contain"
            ),
            Self::InvalidValue(field) => {
                write!(f, "the value of {field} has a control character")
            }
            Self::TooManyFields {
                count,
                is_complete,
                limit,
            } => {
                let at_least = if *is_complete { "" } else { "at least " };
                write!(
                    f,
                    "it has {at_least}{count} fields, and at most {limit} are accepted"
                )?;
                if *limit < RAISED_LIMIT {
                    write!(f, "; from now on {RAISED_LIMIT} are")?;
                }
                Ok(())
            }
            Self::TooLong => write!(f, "its head is longer than {MAX_HEAD_KIB} KiB"),
        }
    }
}

impl HeadDefect {
    /// Whether the head is valid but too large.
    pub(super) const fn is_about_size(&self) -> bool {
        matches!(self, Self::TooManyFields { .. } | Self::TooLong)
    }

    /// Finds the first defect of `head`, whose end may be missing. `None` if the head is valid.
    pub(super) fn find(head: &[u8], limit: usize) -> Option<Self> {
        let mut lines = complete_lines(head).skip_while(|line| line.is_empty());
        match lines.next() {
            Some(status_line) if has_status(status_line) => {}
            Some(line) if line.starts_with(b"HTTP/1.") => return Some(Self::StatusLine),
            Some(_) => return Some(Self::NotHttp),
            None if head.trim_ascii_start().starts_with(b"HTTP/1.") => return too_long(head),
            None => return (!head.is_empty()).then_some(Self::NotHttp),
        }
        let mut count = 0;
        let mut is_complete = false;
        let mut field = NamedField {
            number: 0,
            name: None,
        };
        for line in lines {
            if line.is_empty() {
                is_complete = true;
                break;
            }
            if matches!(line[0], b' ' | b'\t') {
                return Some(Self::Folded(field));
            }
            count += 1;
            let number = count;
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                return Some(Self::NoColon { number });
            };
            let name = line[..colon].trim_ascii_end();
            if name.is_empty() || !name.iter().all(|byte| is_name_byte(*byte)) {
                return Some(Self::InvalidName { number });
            }
            field = NamedField {
                number,
                name: known_field(name),
            };
            if line[colon + 1..].iter().any(|byte| is_control(*byte)) {
                return Some(Self::InvalidValue(field));
            }
        }
        if count > limit {
            return Some(Self::TooManyFields {
                count,
                is_complete,
                limit,
            });
        }
        too_long(head)
    }
}

fn too_long(head: &[u8]) -> Option<HeadDefect> {
    (head.len() >= MAX_HEAD_KIB << 10).then_some(HeadDefect::TooLong)
}

/// The lines of `head` that have ended, without their line ends.
fn complete_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = memchr::memrchr(b'\n', head).unwrap_or(0);
    let complete = (end > 0 || head.starts_with(b"\n")).then_some(&head[..end]);
    complete
        .into_iter()
        .flat_map(|lines| lines.split(|byte| *byte == b'\n'))
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn has_status(line: &[u8]) -> bool {
    matches!(
        line,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', code @ ..]
            if code.len() >= 3
                && code[..3].iter().all(u8::is_ascii_digit)
                && code.get(3).is_none_or(|byte| *byte == b' ')
    )
}

/// A `tchar` of RFC 9110 section 5.6.2.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_control(byte: u8) -> bool {
    byte != b'\t' && byte.is_ascii_control()
}

#[cfg(test)]
mod tests;
