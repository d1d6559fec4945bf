//! From a text or canonical bytes to policies, with every fault that can be told at once.

use minicbor::Decoder;

use super::node::{Kind, Node};
use super::path::RulePath;
use super::problem::{PolicyProblem, PolicyProblems};
use super::reader::{Reader, shortened};
use super::rule::{Rule, Tree};
use super::{Category, Epsilon, SharePolicy, VERSION, warnings};
use crate::limits::{
    COLLECTION_BYTES_MAX, KEY_BYTES_MAX, SHARE_KEYS_MAX, SHARE_PAYLOAD_BYTES_MAX,
    SHARE_POLICY_BYTES_MAX, SHARE_RULES_MAX,
};
use crate::record::value;
use crate::share::transform::Transform;

const NAME_BYTES_MAX: usize = 128;
const EXPIRES_DAYS_MAX: i64 = 366;
const EPSILON_LIFETIME_MAX: f64 = 1000.0;

/// Reads a policy file.
pub(super) fn file(text: &str) -> Result<Vec<SharePolicy>, PolicyProblems> {
    if text.len() > SHARE_POLICY_BYTES_MAX {
        let message = format!("longer than {} KiB", SHARE_POLICY_BYTES_MAX >> 10);
        return Err(PolicyProblems(vec![PolicyProblem::new(1, message)]));
    }
    let root = Node::from_toml(text).map_err(PolicyProblems)?;
    let mut problems = Vec::new();
    let mut policies = Vec::new();
    if let Some(mut top) = Reader::new(&root, "the file", &mut problems) {
        let shares = top.required("share");
        match shares.map(|node| &node.kind) {
            Some(Kind::Table(entries)) if !entries.is_empty() => {
                for (name, node) in entries {
                    policies.extend(policy(name, node, top.problems()));
                }
            }
            Some(_) => top.problem(PolicyProblem::new(1, "`share` must hold tables: [share.name]")),
            None => {}
        }
        top.finish();
    }
    if problems.is_empty() {
        policies.sort_by(|one, other| one.name.cmp(&other.name));
        return Ok(policies);
    }
    problems.sort_by_key(|problem| problem.line);
    Err(PolicyProblems(problems))
}

/// Reads canonical bytes, and nothing that is merely like them.
pub(super) fn canonical(bytes: &[u8]) -> Result<SharePolicy, PolicyProblems> {
    let refuse =
        || PolicyProblems(vec![PolicyProblem::new(0, "not the canonical form of a policy")]);
    if bytes.len() > SHARE_POLICY_BYTES_MAX {
        return Err(refuse());
    }
    selkie_wire::cbor::check(bytes).map_err(|_| refuse())?;
    let mut value = value::decode(&mut Decoder::new(bytes)).map_err(|_| refuse())?;
    let map = value.as_object_mut().ok_or_else(refuse)?;
    let version = map.remove("version").and_then(|version| version.as_i64());
    if version != Some(VERSION) {
        let message = "written by a newer version: update the app";
        return Err(PolicyProblems(vec![PolicyProblem::new(0, message)]));
    }
    let name = map.remove("name");
    let name = name.as_ref().and_then(|name| name.as_str()).ok_or_else(refuse)?;
    let mut problems = Vec::new();
    let policy = policy(name, &Node::from_json(&value), &mut problems);
    match policy {
        Some(policy) if problems.is_empty() && policy.to_canonical() == bytes => Ok(policy),
        _ if problems.is_empty() => Err(refuse()),
        _ => Err(PolicyProblems(problems)),
    }
}

/// A name that other parts compare, so no spaces, letters of two kinds or signs that look alike.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

const NAME: &str = "a name of ASCII letters, digits and _-.:/";

fn policy(name: &str, node: &Node, problems: &mut Vec<PolicyProblem>) -> Option<SharePolicy> {
    let what = format!("[share.{}]", shortened(name));
    if !is_name(name) {
        problems.push(PolicyProblem::new(node.line, format!("{what} needs {NAME}")));
    }
    let faults_before = problems.len();
    let mut table = Reader::new(node, what, problems)?;
    let from = table.required("from");
    let dataset = table.text(from, "from", "the name of a collection", |name| {
        (1..=COLLECTION_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
    });
    let purpose = table.required("purpose");
    let purpose = table.text(purpose, "purpose", NAME, is_name);
    let destination = table.required("destination");
    let destination = table.text(destination, "destination", NAME, is_name);
    let categories = categories(&mut table);
    let size = table.required("size_bytes_max");
    let most = i64::try_from(SHARE_PAYLOAD_BYTES_MAX).ok()?;
    let size_bytes_max = table.integer(size, "size_bytes_max", 2, most);
    let expires = table.required("expires_days");
    let expires_days = table.integer(expires, "expires_days", 1, EXPIRES_DAYS_MAX);
    let lifetime = table.optional("epsilon_lifetime");
    let epsilon_lifetime = epsilon_lifetime(&mut table, lifetime);
    let fields = table.required("field");
    let rules = fields.and_then(|fields| rules(&mut table, fields));
    let line = table.line();
    table.finish();
    let mut rules = rules?;
    let has_noise = rules.iter().any(|rule| matches!(rule.transform, Transform::Noise(_)));
    if has_noise != lifetime.is_some() {
        let message = if has_noise {
            "`noise` needs `epsilon_lifetime`: sending stops when it is spent"
        } else {
            "`epsilon_lifetime` without a `noise` rule"
        };
        problems.push(PolicyProblem::new(lifetime.map_or(line, |node| node.line), message));
    }
    rules.sort_by(|one, other| (&one.path, &one.keys).cmp(&(&other.path, &other.keys)));
    let mut tree = Tree::default();
    // Paths that meet were told as faults while the rules were read.
    let _told = rules.iter().filter(|rule| !tree.insert(rule)).count();
    let policy = SharePolicy {
        name: name.to_owned(),
        dataset: dataset?.to_owned(),
        purpose: purpose?.to_owned(),
        destination: destination?.to_owned(),
        categories: categories?,
        size_bytes_max: usize::try_from(size_bytes_max?).ok()?,
        expires_days: u32::try_from(expires_days?).ok()?,
        epsilon_lifetime,
        rules,
        tree,
        hash: [0; 32],
    };
    (problems.len() == faults_before).then(|| policy.with_hash())
}

fn categories(table: &mut Reader<'_, '_>) -> Option<Vec<Category>> {
    let node = table.required("categories");
    let wanted = "some of \"technical\", \"interaction\", \"stored_content\", \"highly_sensitive\"";
    let mut list =
        table.list(node, "categories", wanted, Category::ALL.len(), |node| match &node.kind {
            Kind::Text(name) => Category::from_name(name),
            _ => None,
        })?;
    list.sort_unstable();
    list.dedup();
    Some(list)
}

fn epsilon_lifetime(table: &mut Reader<'_, '_>, node: Option<&Node>) -> Epsilon {
    let Some(node) = node else { return Epsilon::ZERO };
    let read = node.as_number().and_then(|it| Epsilon::from_number(it, EPSILON_LIFETIME_MAX));
    if read.is_none() {
        table.wrong(node, "epsilon_lifetime", "a number above 0, up to 1000");
    }
    read.unwrap_or_default()
}

fn rules(table: &mut Reader<'_, '_>, fields: &Node) -> Option<Vec<Rule>> {
    let Kind::Array(items) = &fields.kind else {
        table.wrong(fields, "field", "an array of tables: [[share.name.field]]");
        return None;
    };
    if items.is_empty() || items.len() > SHARE_RULES_MAX {
        table.wrong(fields, "field", &format!("1 to {SHARE_RULES_MAX} rules"));
        return None;
    }
    let mut tree = Tree::default();
    let mut rules = Vec::new();
    for item in items {
        let Some(rule) = rule(item, table.problems()) else { continue };
        if !tree.insert(&rule) {
            let message = format!("`{}` meets the path of another rule", rule.path);
            let help = "each value has one rule, and a rule with others below it has none itself";
            table.problem(PolicyProblem::new(item.line, message).help(help));
        }
        for problem in warnings::refusals(&rule) {
            table.problem(PolicyProblem { line: item.line, ..problem });
        }
        rules.push(rule);
    }
    Some(rules)
}

fn rule(node: &Node, problems: &mut Vec<PolicyProblem>) -> Option<Rule> {
    let mut table = Reader::new(node, "the rule", problems)?;
    let path_node = table.required("path");
    let wanted = "a path such as user.email, sessions[*].ms or errors.*";
    let path = table.text(path_node, "path", wanted, |path| RulePath::parse(path).is_some());
    let path = path.and_then(RulePath::parse);
    let keys_node = table.optional("keys");
    let wanted = "1 to 64 keys";
    let keys = table.list(keys_node, "keys", wanted, SHARE_KEYS_MAX, |node| match &node.kind {
        Kind::Text(key) if key.len() <= KEY_BYTES_MAX => Some(key.clone()),
        _ => None,
    });
    if let Some(path) = path.as_ref().filter(|path| path.has_listed() != keys_node.is_some()) {
        let message = if path.has_listed() {
            "a `*` in a path needs `keys`: only listed keys of a map are sent"
        } else {
            "`keys` without a `*` in the path"
        };
        table.problem(PolicyProblem::new(node.line, message));
    }
    let transform = Transform::read(&mut table);
    table.finish();
    let mut keys = keys.unwrap_or_default();
    keys.sort_unstable();
    keys.dedup();
    Some(Rule { path: path?, keys, transform: transform? })
}
