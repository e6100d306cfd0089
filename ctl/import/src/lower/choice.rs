//! `use_backend` by what can be known without decrypting: the name and the protocols of a ClientHello, and the client's network.
//! Each becomes a route, or several where the condition has an `or`.

use std::str::FromStr;

use fmc_config::model::route::NamePattern;

use super::source::networks;
use crate::draft::Conditions;
use crate::haproxy::proxy::{Proxy, Settings};
use crate::haproxy::{Haproxy, Statement};
use crate::ledger::Ledger;

/// One `use_backend ... if`, as routes.
pub(super) struct Choice<'a> {
    pub(super) rule: &'a Statement,
    pub(super) backend: &'a Proxy,
    /// One of them must hold.
    pub(super) any_of: Vec<Conditions>,
}

/// What a proxy chooses by, in its order; `None`: one of its rules cannot be had, and was refused.
pub(super) fn read<'a>(haproxy: &'a Haproxy, proxy: &'a Proxy, ledger: &mut Ledger) -> Option<Vec<Choice<'a>>> {
    let settings = &proxy.settings;
    let conditional = settings.use_backends.iter().take_while(|rule| rule.words.len() > 2);
    let all: Vec<_> = conditional.map(|rule| one(haproxy, rule, settings, ledger)).collect();
    all.into_iter().collect()
}

fn one<'a>(haproxy: &'a Haproxy, rule: &'a Statement, settings: &Settings, ledger: &mut Ledger) -> Option<Choice<'a>> {
    let backend = haproxy.proxies.iter().find(|other| other.kind.has_servers() && other.name == rule.word(1));
    let Some(backend) = backend else {
        ledger.refuse(rule.at, format!("no backend is named {:?}", rule.word(1)));
        return None;
    };
    match any_of(rule, settings) {
        Ok(any_of) => {
            settings
                .acls
                .iter()
                .filter(|acl| names(rule, acl))
                .for_each(|acl| ledger.kept(acl.at, "routes of the frontend"));
            Some(Choice { rule, backend, any_of })
        }
        Err(why) => {
            ledger.refuse(rule.at, format!("this chooses by {why}"));
            None
        }
    }
}

fn names(rule: &Statement, acl: &Statement) -> bool {
    rule.from(3).iter().any(|word| word == acl.word(1))
}

/// Terms that must all hold, apart by `or`.
fn any_of(rule: &Statement, settings: &Settings) -> Result<Vec<Conditions>, String> {
    if rule.word(2) != "if" {
        return Err("what does not hold (`unless`): turn it round, with the other backend as the route".to_owned());
    }
    let alternatives = rule.from(3).split(|word| matches!(word.as_str(), "or" | "||"));
    alternatives.map(|words| all_of(words, settings)).collect()
}

fn all_of(mut words: &[String], settings: &Settings) -> Result<Conditions, String> {
    let mut together = Conditions::default();
    let mut any = false;
    while let Some((first, rest)) = words.split_first() {
        let (term, further) = match first.as_str() {
            "{" => {
                let end = rest.iter().position(|word| word == "}").ok_or("a brace that is not closed")?;
                (expression(&rest[..end])?, &rest[end + 1..])
            }
            word if word.starts_with('!') => {
                return Err("what does not hold (`!`): turn it round, with the other backend as the route".to_owned());
            }
            name => (named(name, settings)?, rest),
        };
        any |= term != Term::Hello;
        add(&mut together, term)?;
        words = further;
    }
    // Every connection of such a frontend begins with a ClientHello: that alone chooses nothing.
    any.then_some(together).ok_or_else(|| "whether TLS is spoken: give the other protocol a port of its own".to_owned())
}

/// One thing that is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Term {
    ServerNames(Vec<String>),
    Alpn(Vec<String>),
    Sources(Vec<String>),
    /// That a ClientHello has come: true where one of the first two is asked for.
    Hello,
}

fn add(together: &mut Conditions, term: Term) -> Result<(), String> {
    let (list, values) = match term {
        Term::ServerNames(values) => (&mut together.server_names, values),
        Term::Alpn(values) => (&mut together.alpn, values),
        Term::Sources(values) => (&mut together.sources, values),
        Term::Hello => return Ok(()),
    };
    if !list.is_empty() {
        return Err("two conditions on the same thing at once: a route has one list of each".to_owned());
    }
    *list = values;
    Ok(())
}

/// Lines of one name are alternatives.
fn named(name: &str, settings: &Settings) -> Result<Term, String> {
    let lines: Vec<_> = settings.acls.iter().filter(|acl| acl.word(1) == name).collect();
    let mut terms = lines.iter().map(|acl| expression(acl.from(2)));
    let first = terms.next().ok_or_else(|| format!("{name}, which no acl of this proxy defines"))??;
    terms.try_fold(first, |known, next| match (known, next?) {
        (Term::ServerNames(known), Term::ServerNames(more)) => Ok(Term::ServerNames([known, more].concat())),
        (Term::Alpn(known), Term::Alpn(more)) => Ok(Term::Alpn([known, more].concat())),
        (Term::Sources(known), Term::Sources(more)) => Ok(Term::Sources([known, more].concat())),
        _ => Err(format!("{name}, whose lines ask for different things: write a `use_backend` for each")),
    })
}

/// `req.ssl_sni -i -m end .apps.lab`, `src 10.8.0.0/24`.
fn expression(words: &[String]) -> Result<Term, String> {
    let fetch = words.first().map(|word| word.split(',').next().unwrap_or_default()).unwrap_or_default();
    let (method, values) = pattern(words.get(1..).unwrap_or_default())?;
    match fetch {
        "req.ssl_sni" | "req_ssl_sni" => server_names(&method, values),
        "req.ssl_alpn" => Ok(Term::Alpn(values.to_vec())),
        "req.ssl_hello_type" | "req_ssl_hello_type" => Ok(Term::Hello),
        "src" => {
            let list = networks(words).ok_or("networks that are no IPv4 networks")?;
            Ok(Term::Sources(list.iter().map(ToString::to_string).collect()))
        }
        "dst_port" => Err("the port: write a frontend for each port".to_owned()),
        "nbsrv" => Err("how many servers live: make those of the second backend a `backup` of the first".to_owned()),
        "" => Err("nothing".to_owned()),
        other => Err(format!("{other}, which is not known where connections are relayed")),
    }
}

/// The flags of an ACL (configuration.txt 7.1): how its values are compared, and the values.
fn pattern(mut words: &[String]) -> Result<(String, &[String]), String> {
    let mut method = "str".to_owned();
    while let Some((flag, rest)) = words.split_first().filter(|(flag, _)| flag.starts_with('-')) {
        words = rest;
        match flag.as_str() {
            // Names and protocols are compared without regard to case, or have none.
            "-i" | "-n" => {}
            "-m" => {
                let (named, rest) = words.split_first().ok_or("`-m` without a method")?;
                (method, words) = (named.clone(), rest);
            }
            "--" => break,
            "-f" => return Err("a file of patterns: write them into the route".to_owned()),
            other => return Err(format!("{other}, a flag that is not known here")),
        }
    }
    Ok((method, words))
}

fn server_names(method: &str, values: &[String]) -> Result<Term, String> {
    let name = |value: &String| match method {
        "str" => Ok(value.to_ascii_lowercase()),
        "end" if value.starts_with('.') => Ok(format!("*{}", value.to_ascii_lowercase())),
        "end" => Err(format!("names that end with {value:?}, inside a label too: with a dot before it, it is a route")),
        other => Err(format!("a name by `-m {other}`: a route has whole names, and `*.domain`")),
    };
    let names: Vec<String> = values.iter().map(name).collect::<Result<_, _>>()?;
    match names.iter().find(|name| NamePattern::from_str(name).is_err()) {
        Some(bad) => Err(format!("{bad:?}, which no TLS client can ask for")),
        None => Ok(Term::ServerNames(names)),
    }
}
