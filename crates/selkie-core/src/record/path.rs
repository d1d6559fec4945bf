//! Where a leaf sits in a document: keys as length-prefixed bytes, never "a.b" strings.

use core::fmt;

use crate::limits::{DOCUMENT_DEPTH_MAX, KEY_BYTES_MAX};

/// The way from a document's root to a leaf.
///
/// Encoded as a sequence of components, each `varint(length × 2 + marker)` and that many bytes
/// (LEB128, shortest form). Marker 0: an object key, in UTF-8. Marker 1: an element of a field type
/// (`docs/FORMAT.md`, change); a version that does not know it keeps it and shows nothing of it.
/// An ancestor's bytes are a prefix of its descendants', so a subtree is one range in byte order.
///
/// ```
/// use selkie_core::record::Path;
/// let city = Path::root().child("address").child("city");
/// assert_eq!(city.to_string(), "address.city");
/// assert_eq!(city.as_bytes(), b"\x0eaddress\x08city");
/// assert_eq!(Path::parse("address.city"), Some(city));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path(Vec<u8>);

/// Elements on one path: a list's element, and its value below it.
const ELEMENTS_MAX: usize = 2;

/// One step of a [`Path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component<'a> {
    /// A key of an object.
    Key(&'a str),
    /// An element of a field type.
    Element(&'a [u8]),
}

impl Path {
    /// The document itself.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// The path of `key` in the object at this path.
    #[must_use]
    pub fn child(&self, key: &str) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len() + key.len() + 2);
        bytes.extend_from_slice(&self.0);
        push_component(&mut bytes, key.as_bytes(), 0);
        Self(bytes)
    }

    /// The path of an element of a field type.
    pub(crate) fn with_element(&self, content: &[u8]) -> Self {
        let mut bytes = self.0.clone();
        push_component(&mut bytes, content, 1);
        Self(bytes)
    }

    /// Reads an encoded path: at most as many keys as a document has levels, and two elements.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let (mut keys, mut elements) = (0, 0);
        while !rest.is_empty() {
            let component;
            (component, rest) = split_component(rest)?;
            match component {
                Component::Key(_) => keys += 1,
                Component::Element(_) => elements += 1,
            }
        }
        (keys <= DOCUMENT_DEPTH_MAX && elements <= ELEMENTS_MAX).then(|| Self(bytes.to_vec()))
    }

    /// Reads dotted text as people type it; a key with a dot or a quote in it is written as a JSON
    /// string: `address."a.b"`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut path = Self::root();
        let mut rest = text;
        loop {
            let key;
            if rest.starts_with('"') {
                let mut keys = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                key = keys.next()?.ok()?;
                rest = rest.get(keys.byte_offset()..)?;
            } else {
                let end = rest.find('.').unwrap_or(rest.len());
                key = rest.get(..end)?.to_owned();
                rest = rest.get(end..)?;
                if key.is_empty() {
                    return None;
                }
            }
            path = path.child(&key);
            match rest.strip_prefix('.') {
                Some(more) => rest = more,
                None => {
                    return (rest.is_empty() && Self::from_bytes(&path.0).is_some())
                        .then_some(path);
                }
            }
        }
    }

    /// The encoding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the document itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this path is `other` or lies below it.
    #[must_use]
    pub fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The steps from the root.
    pub fn components(&self) -> impl Iterator<Item = Component<'_>> {
        let mut rest = self.0.as_slice();
        core::iter::from_fn(move || {
            let component;
            (component, rest) = split_component(rest)?;
            Some(component)
        })
    }

    /// The paths strictly between the root and this one, shortest first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        let mut len = 0;
        core::iter::from_fn(move || {
            let rest = self.0.get(len..)?;
            let (_, after) = split_component(rest)?;
            len += rest.len() - after.len();
            (!after.is_empty()).then(|| Self(self.0.iter().copied().take(len).collect()))
        })
    }

    /// The path without its last step; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let mut rest = self.0.as_slice();
        let mut last_len = 0;
        while !rest.is_empty() {
            let (_, after) = split_component(rest)?;
            last_len = rest.len() - after.len();
            rest = after;
        }
        let len = self.0.len().checked_sub(last_len).filter(|_| !self.0.is_empty())?;
        self.0.get(..len).map(|bytes| Self(bytes.to_vec()))
    }

    /// For an element of a set, counter or list, or anything below one: the field that holds it.
    #[must_use]
    pub fn container(&self) -> Option<Self> {
        let mut rest = self.0.as_slice();
        loop {
            let len = self.0.len() - rest.len();
            match split_component(rest)? {
                (Component::Element(_), _) => {
                    return self.0.get(..len).map(|bytes| Self(bytes.to_vec()));
                }
                (Component::Key(_), after) => rest = after,
            }
        }
    }

    /// The first step of the rest of this path after `prefix`, with the rest's length in bytes.
    pub(crate) fn next_component_len(&self, prefix_len: usize) -> Option<usize> {
        let rest = self.0.get(prefix_len..)?;
        split_component(rest).map(|(_, after)| rest.len() - after.len())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, component) in self.components().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            match component {
                Component::Key(key) if !key.is_empty() && !key.contains(['.', '"']) => {
                    f.write_str(key)?
                }
                Component::Key(key) => write!(f, "{}", serde_json::Value::from(key))?,
                Component::Element(bytes) => {
                    f.write_str("#")?;
                    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

fn push_component(bytes: &mut Vec<u8>, content: &[u8], marker: usize) {
    let mut prefix = content.len() << 1 | marker;
    while prefix >= 0x80 {
        bytes.push((prefix & 0x7f) as u8 | 0x80);
        prefix >>= 7;
    }
    bytes.push(prefix as u8);
    bytes.extend_from_slice(content);
}

/// The first component and what follows it; `None` for anything but a strict encoding.
fn split_component(bytes: &[u8]) -> Option<(Component<'_>, &[u8])> {
    let (&first, mut rest) = bytes.split_first()?;
    let mut prefix = usize::from(first & 0x7f);
    if first & 0x80 != 0 {
        let (&second, after) = rest.split_first()?;
        if second == 0 || second & 0x80 != 0 {
            return None;
        }
        prefix |= usize::from(second) << 7;
        rest = after;
    }
    let len = prefix >> 1;
    if len > KEY_BYTES_MAX {
        return None;
    }
    let (content, rest) = rest.split_at_checked(len)?;
    let component = if prefix & 1 == 0 {
        Component::Key(core::str::from_utf8(content).ok()?)
    } else {
        Component::Element(content)
    };
    Some((component, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_round_trip() {
        for text in ["a", "a.b", r#""".x"#, r#"a."b.c".d"#, r#""say \"hi\"""#, "größe.日本"] {
            let path = Path::parse(text).unwrap();
            assert_eq!(path.to_string(), text);
            assert_eq!(Path::from_bytes(path.as_bytes()), Some(path));
        }
        let long = Path::root().child(&"k".repeat(KEY_BYTES_MAX));
        assert_eq!(Path::from_bytes(long.as_bytes()), Some(long));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", ".", "a.", ".a", "a..b", "\"a", "\"a\"b"] {
            assert_eq!(Path::parse(text), None, "{text:?}");
        }
        let deep = Path::parse(&vec!["k"; DOCUMENT_DEPTH_MAX + 1].join("."));
        assert_eq!(deep, None);
        for bytes in [&[2][..], &[0x82, 0x00, b'a'], &[0x82, 0x80, 0x00], &[2, 0xff], &[0x80]] {
            assert_eq!(Path::from_bytes(bytes), None, "{bytes:02x?}");
        }
        let long = Path::root().child(&"k".repeat(KEY_BYTES_MAX + 1));
        assert_eq!(Path::from_bytes(long.as_bytes()), None);
    }

    #[test]
    fn ancestors_lie_strictly_between() {
        let path = Path::parse("a.b.c").unwrap();
        let ancestors: Vec<_> = path.ancestors().map(|path| path.to_string()).collect();
        assert_eq!(ancestors, ["a", "a.b"]);
        assert_eq!(Path::parse("a").unwrap().ancestors().count(), 0);
    }
}
