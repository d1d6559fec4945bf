//! Fields as a person knows them: an element of a set, counter or list goes by the field that holds it.

use selkie::FieldPath;

use crate::text;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A field of a document.
    Field,
    /// One of a set.
    SetElement,
    /// What one device adds to a counter.
    Count,
    /// One of a list.
    ListElement,
    /// Where one of a list stands among the others.
    Place,
    /// Something of a later version.
    Unknown,
}

impl Part {
    /// What it is, behind the field's name.
    pub fn note(self) -> &'static str {
        match self {
            Self::Field => "",
            Self::SetElement | Self::ListElement => " (an element)",
            Self::Count => " (a count)",
            Self::Place => " (an element's place)",
            Self::Unknown => " (a part)",
        }
    }
}

/// The field's name, safe for a terminal, and which part of it is meant.
pub fn name(path: &FieldPath) -> (String, Part) {
    let Some(field) = path.container() else {
        return (text::plain(&path.to_string()), Part::Field);
    };
    let (whole, field) = (path.to_string(), field.to_string());
    // The first byte of an element tells its type: docs/FORMAT.md, change.
    let element = whole.strip_prefix(&field).unwrap_or_default();
    let part = match element.trim_start_matches(['.', '#']).get(..2) {
        Some("73") => Part::SetElement,
        Some("63") => Part::Count,
        Some("6c") if element.contains(".#76") => Part::ListElement,
        Some("6c") => Part::Place,
        _ => Part::Unknown,
    };
    (text::plain(&field), part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_goes_by_its_field() {
        let path = |parts: &[&[u8]]| {
            let mut bytes = b"\x08tags".to_vec();
            for part in parts {
                bytes.push((part.len() * 2 + 1) as u8);
                bytes.extend_from_slice(part);
            }
            FieldPath::from_bytes(&bytes).unwrap()
        };
        for (parts, part) in [
            (&[][..], Part::Field),
            (&[&b"s0123"[..]], Part::SetElement),
            (&[b"c0123"], Part::Count),
            (&[b"l0123"], Part::Place),
            (&[b"l0123", b"v"], Part::ListElement),
            (&[b"z"], Part::Unknown),
        ] {
            assert_eq!(name(&path(parts)), ("tags".to_owned(), part));
        }
    }
}
