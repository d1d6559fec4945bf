//! The user's name in the path of a home folder.

use super::text::Text;
use super::{Found, Span};

const NAME_BYTES_MAX: usize = 64;
/// Folders of homes, behind their first separator. (Split, so that no machine's path stands here.)
const HOMES: [&[u8]; 3] = [b"home", b"Users", b"users"];
/// Folders there that are nobody's.
const NOBODY: [&[u8]; 4] = [b"shared", b"public", b"default", b"runner"];

/// The name in the path whose first separator is there.
pub(super) fn find(text: &Text<'_>, at: usize) -> Option<Span> {
    let home = HOMES.iter().find(|home| text.goes_on_with(at + 1, home))?;
    let separator = text.at(at);
    let mut start = at + 1 + home.len();
    (text.at(start) == separator).then_some(())?;
    start += 1;
    // In JSON and source a backslash is doubled.
    if separator == b'\\' && text.at(start) == b'\\' {
        start += 1;
    }
    let is_name =
        |byte: u8| byte >= 0x80 || byte.is_ascii_alphanumeric() || b"._- @+".contains(&byte);
    let mut end = text.end_while(start, NAME_BYTES_MAX, is_name);
    // A space belongs to a name only inside of a path.
    if text.at(end) != separator {
        end = text.end_while(start, NAME_BYTES_MAX, |byte| is_name(byte) && byte != b' ');
        while end > start && matches!(text.before(end), b'.' | b'-') {
            end -= 1;
        }
    }
    let name = text.slice(start, end);
    let anybody = NOBODY.iter().any(|nobody| name.eq_ignore_ascii_case(nobody));
    (end > start && !anybody).then(|| Span::new(start, end, Found::UserPath))
}
