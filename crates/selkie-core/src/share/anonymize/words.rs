//! The words that names of fields are made of. Lower case, without accents, singular.

use super::names::Sensitive;

/// Whether a word is one of some, which spaces part.
pub(super) fn has(words: &str, word: &str) -> bool {
    words.split(' ').any(|other| other == word)
}

/// A word that says by itself what the value is.
pub(super) const SENSITIVE: &[(&str, Sensitive)] = &[
    ("email", Sensitive::Email),
    ("mail", Sensitive::Email),
    ("correo", Sensitive::Email),
    ("courriel", Sensitive::Email),
    ("phone", Sensitive::Phone),
    ("telephone", Sensitive::Phone),
    ("tel", Sensitive::Phone),
    ("mobile", Sensitive::Phone),
    ("cellphone", Sensitive::Phone),
    ("cell", Sensitive::Phone),
    ("fax", Sensitive::Phone),
    ("msisdn", Sensitive::Phone),
    ("whatsapp", Sensitive::Phone),
    ("telefon", Sensitive::Phone),
    ("telefono", Sensitive::Phone),
    ("telefone", Sensitive::Phone),
    ("handynummer", Sensitive::Phone),
    ("name", Sensitive::Name),
    ("firstname", Sensitive::Name),
    ("lastname", Sensitive::Name),
    ("fullname", Sensitive::Name),
    ("surname", Sensitive::Name),
    ("forename", Sensitive::Name),
    ("nickname", Sensitive::Name),
    ("username", Sensitive::Name),
    ("login", Sensitive::Name),
    ("initial", Sensitive::Name),
    ("vorname", Sensitive::Name),
    ("nachname", Sensitive::Name),
    ("prenom", Sensitive::Name),
    ("nom", Sensitive::Name),
    ("nombre", Sensitive::Name),
    ("apellido", Sensitive::Name),
    ("cognome", Sensitive::Name),
    ("nome", Sensitive::Name),
    ("sobrenome", Sensitive::Name),
    ("naam", Sensitive::Name),
    ("achternaam", Sensitive::Name),
    ("address", Sensitive::Address),
    ("addr", Sensitive::Address),
    ("street", Sensitive::Address),
    ("zip", Sensitive::Address),
    ("zipcode", Sensitive::Address),
    ("postcode", Sensitive::Address),
    ("postal", Sensitive::Address),
    ("adresse", Sensitive::Address),
    ("strasse", Sensitive::Address),
    ("plz", Sensitive::Address),
    ("direccion", Sensitive::Address),
    ("indirizzo", Sensitive::Address),
    ("endereco", Sensitive::Address),
    ("device", Sensitive::DeviceId),
    ("imei", Sensitive::DeviceId),
    ("imsi", Sensitive::DeviceId),
    ("iccid", Sensitive::DeviceId),
    ("meid", Sensitive::DeviceId),
    ("udid", Sensitive::DeviceId),
    ("idfa", Sensitive::DeviceId),
    ("idfv", Sensitive::DeviceId),
    ("gaid", Sensitive::DeviceId),
    ("aaid", Sensitive::DeviceId),
    ("adid", Sensitive::DeviceId),
    ("ssaid", Sensitive::DeviceId),
    ("oaid", Sensitive::DeviceId),
    ("hostname", Sensitive::DeviceId),
    ("ip", Sensitive::DeviceId),
    ("ipv4", Sensitive::DeviceId),
    ("ipv6", Sensitive::DeviceId),
    ("macaddr", Sensitive::DeviceId),
    ("ssid", Sensitive::DeviceId),
    ("bssid", Sensitive::DeviceId),
    ("location", Sensitive::Location),
    ("lat", Sensitive::Location),
    ("latitude", Sensitive::Location),
    ("lng", Sensitive::Location),
    ("lon", Sensitive::Location),
    ("longitude", Sensitive::Location),
    ("latlng", Sensitive::Location),
    ("latlon", Sensitive::Location),
    ("gps", Sensitive::Location),
    ("geo", Sensitive::Location),
    ("geolocation", Sensitive::Location),
    ("geohash", Sensitive::Location),
    ("coordinate", Sensitive::Location),
    ("coord", Sensitive::Location),
    ("whereabout", Sensitive::Location),
    ("biometric", Sensitive::Biometric),
    ("fingerprint", Sensitive::Biometric),
    ("touchid", Sensitive::Biometric),
    ("faceid", Sensitive::Biometric),
    ("face", Sensitive::Biometric),
    ("facial", Sensitive::Biometric),
    ("iris", Sensitive::Biometric),
    ("retina", Sensitive::Biometric),
    ("voiceprint", Sensitive::Biometric),
    ("faceprint", Sensitive::Biometric),
    ("palmprint", Sensitive::Biometric),
    ("ssn", Sensitive::Identity),
    ("passport", Sensitive::Identity),
    ("iban", Sensitive::Identity),
    ("dob", Sensitive::Identity),
    ("birthday", Sensitive::Identity),
    ("birthdate", Sensitive::Identity),
    ("birth", Sensitive::Identity),
    ("cvv", Sensitive::Secret),
    ("cvc", Sensitive::Secret),
    ("password", Sensitive::Secret),
    ("passwd", Sensitive::Secret),
    ("pwd", Sensitive::Secret),
    ("passphrase", Sensitive::Secret),
    ("passcode", Sensitive::Secret),
    ("secret", Sensitive::Secret),
    ("apikey", Sensitive::Secret),
    ("credential", Sensitive::Secret),
    ("authorization", Sensitive::Secret),
    ("cookie", Sensitive::Secret),
    ("token", Sensitive::Secret),
];

/// Several words that say it together.
pub(super) const TOGETHER: &[(&[&str], Sensitive)] = &[
    (&["e", "mail"], Sensitive::Email),
    (&["serial", "number"], Sensitive::DeviceId),
    (&["serial", "no"], Sensitive::DeviceId),
    (&["host", "name"], Sensitive::DeviceId),
    (&["computer", "name"], Sensitive::DeviceId),
    (&["machine", "name"], Sensitive::DeviceId),
    (&["machine", "id"], Sensitive::DeviceId),
    (&["android", "id"], Sensitive::DeviceId),
    (&["advertising", "id"], Sensitive::DeviceId),
    (&["ad", "id"], Sensitive::DeviceId),
    (&["installation", "id"], Sensitive::DeviceId),
    (&["install", "id"], Sensitive::DeviceId),
    (&["hardware", "id"], Sensitive::DeviceId),
    (&["client", "id"], Sensitive::DeviceId),
    (&["voice", "print"], Sensitive::Biometric),
    (&["finger", "print"], Sensitive::Biometric),
    (&["touch", "id"], Sensitive::Biometric),
    (&["user", "id"], Sensitive::Identity),
    (&["customer", "id"], Sensitive::Identity),
    (&["patient", "id"], Sensitive::Identity),
    (&["national", "id"], Sensitive::Identity),
    (&["social", "security"], Sensitive::Identity),
    (&["card", "number"], Sensitive::Identity),
    (&["account", "number"], Sensitive::Identity),
    (&["tax", "id"], Sensitive::Identity),
    (&["driver", "license"], Sensitive::Identity),
    (&["api", "key"], Sensitive::Secret),
    (&["access", "key"], Sensitive::Secret),
    (&["private", "key"], Sensitive::Secret),
    (&["session", "id"], Sensitive::Secret),
];

/// Words so long and so much their own that they count inside of any other.
pub(super) const ANYWHERE: &[(&str, Sensitive)] = &[
    ("email", Sensitive::Email),
    ("phone", Sensitive::Phone),
    ("firstname", Sensitive::Name),
    ("lastname", Sensitive::Name),
    ("fullname", Sensitive::Name),
    ("username", Sensitive::Name),
    ("surname", Sensitive::Name),
    ("nickname", Sensitive::Name),
    ("address", Sensitive::Address),
    ("deviceid", Sensitive::DeviceId),
    ("geolocation", Sensitive::Location),
    ("location", Sensitive::Location),
    ("latitude", Sensitive::Location),
    ("longitude", Sensitive::Location),
    ("biometric", Sensitive::Biometric),
    ("fingerprint", Sensitive::Biometric),
    ("password", Sensitive::Secret),
    ("passport", Sensitive::Identity),
];

/// English words that hold one of them by chance.
pub(super) const BY_CHANCE: &str = "\
    allocation deallocation reallocation preallocation collocation dislocation \
    translocation microphone headphone earphone saxophone xylophone gramophone megaphone \
    vibraphone phoneme phonetic addressable addressing";

/// What comes before or behind a sensitive word when they are written as one: `homeaddress`, `emailid`.
pub(super) const AFFIXES: &str = "\
    user my home work office business company personal private public primary secondary \
    alt alternate contact customer client owner author sender receiver recipient from to \
    reply billing shipping delivery mailing emergency first last full middle given \
    family maiden legal display real old new current previous id ids number num no nr \
    hash value text string list line info data uuid guid serial model type patient \
    employee member person people contact account profile parent mother father child \
    spouse partner friend doctor student teacher the is has e raw code city ip mac file \
    host class event app domain";

/// Things whose name is not a person's: `file_name`, `eventName`. Their values are scanned all the same.
pub(super) const THINGS: &str = "\
    file model event class table column field app application package module function \
    method variable parameter product brand color colour font theme service process \
    thread metric experiment feature flag screen page button os browser language plan \
    tier version branch tag type schema index queue topic bucket layer tensor dataset \
    collection database db crate library plugin extension tool task job step stage test \
    exception error attribute property species category operation command";

/// Of `memory_address` and the like: places where nobody lives.
pub(super) const MACHINE_PLACES: &str = "\
    memory mem heap stack pointer register bus instruction base virtual";

/// Of `max_tokens` and the like: what a language model reads and writes.
pub(super) const AMOUNTS: &str = "\
    max min total num count input output prompt completion context generated cached";

/// Behind a sensitive word, these make a property of it that tells nobody: `email_count`, `device_type`.
pub(super) const PROPERTIES: &str = "\
    count total type kind class category model platform os format length len size \
    enabled verified valid present required supported available status permission limit \
    max min memory version accuracy precision usage budget used";
