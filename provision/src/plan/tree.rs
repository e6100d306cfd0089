//! Documents of libvirt, compared by what they mean: libvirt adds much of its own, so only what we say counts, and lists that are ours alone
//! (disks, interfaces, a network's addresses) in full.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::difference::{Line, Sign};

/// An element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its name.
    pub(crate) name: String,
    /// Its attributes.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Its own text, trimmed.
    pub(crate) text: String,
    /// In their order.
    pub(crate) children: Vec<Element>,
}

/// Reads a document.
///
/// # Errors
///
/// Why it is none.
pub(crate) fn parse(xml: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => open.push(element(&start)?),
            Event::Empty(start) => {
                let element = element(&start)?;
                last(&mut open)?.children.push(element);
            }
            Event::End(_) => {
                let closed = open.pop().ok_or("an element ends that did not begin")?;
                last(&mut open)?.children.push(closed);
            }
            Event::Text(text) => {
                last(&mut open)?.text.push_str(text.trim());
            }
            Event::Eof => break,
            Event::GeneralRef(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_) => {}
        }
    }
    let root = open.pop().filter(|_| open.is_empty()).ok_or("an element does not end")?;
    root.children.into_iter().next().ok_or_else(|| "no element".to_owned())
}

fn last(open: &mut [Element]) -> Result<&mut Element, String> {
    open.last_mut().ok_or_else(|| "an element ends that did not begin".to_owned())
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let name = start.name().as_ref().to_owned();
    let mut attributes = BTreeMap::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = quick_xml::escape::unescape(&attribute.value).map_err(|error| error.to_string())?.into_owned();
        attributes.insert(attribute.key.as_ref().to_owned(), value);
    }
    Ok(Element { name, attributes, ..Element::default() })
}

impl Element {
    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the child of that name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// What tells it from its siblings of the same name.
    fn key(&self) -> Option<&str> {
        let (child, attribute) = match self.name.as_str() {
            "disk" => ("target", "dev"),
            "interface" => ("mac", "address"),
            _ => return None,
        };
        self.child(child)?.attributes.get(attribute).map(String::as_str)
    }

    /// A number of bytes, whatever its unit (libvirt's "scaled integer").
    fn bytes(&self) -> Option<u64> {
        let number: u64 = self.text.parse().ok()?;
        let scale = match self.attributes.get("unit")?.as_str() {
            "bytes" | "b" => 1,
            "KiB" | "k" => 1 << 10,
            "MiB" | "M" => 1 << 20,
            "GiB" | "G" => 1 << 30,
            _ => return None,
        };
        number.checked_mul(scale)
    }
}

/// Elements of which libvirt adds none by itself: one that we do not say has to go.
const OURS: [&str; 5] = ["disk", "interface", "sysinfo", "forward", "ip"];

/// What has to change for `seen` to be what `wanted` says; empty: it is.
pub(crate) fn differences(seen: &Element, wanted: &Element) -> Vec<Line> {
    let mut lines = Vec::new();
    compare(seen, wanted, "", &mut lines);
    lines
}

fn compare(seen: &Element, wanted: &Element, path: &str, lines: &mut Vec<Line>) {
    for (name, value) in &wanted.attributes {
        match seen.attributes.get(name) {
            Some(known) if same(&wanted.name, name, known, value) => {}
            // The scale of a number says nothing without the number, which is compared below.
            _ if name == "unit" && seen.bytes().is_some() && wanted.bytes().is_some() => {}
            Some(known) => lines.push(Line::new(Sign::Changed, format!("{path}@{name}: {known} -> {value}"))),
            None => lines.push(Line::new(Sign::Added, format!("{path}@{name}: {value}"))),
        }
    }
    let equal = wanted.bytes().is_some() && wanted.bytes() == seen.bytes();
    if !wanted.text.is_empty() && wanted.text != seen.text && !equal {
        lines.push(Line::new(Sign::Changed, format!("{path}: {} -> {}", quantity(seen), quantity(wanted))));
    }
    children(seen, wanted, path, lines);
}

fn children(seen: &Element, wanted: &Element, path: &str, lines: &mut Vec<Line>) {
    let mut used = vec![false; seen.children.len()];
    for child in &wanted.children {
        let fits =
            |(at, other): &(usize, &Element)| !used[*at] && other.name == child.name && other.key() == child.key();
        let below = join(path, child);
        match seen.children.iter().enumerate().find(fits) {
            Some((at, other)) => {
                used[at] = true;
                compare(other, child, &below, lines);
            }
            None => leaves(child, &below, Sign::Added, lines),
        }
    }
    let extra = seen.children.iter().zip(used).filter(|(child, used)| !used && OURS.contains(&child.name.as_str()));
    extra.for_each(|(child, _)| leaves(child, &join(path, child), Sign::Removed, lines));
}

fn join(path: &str, child: &Element) -> String {
    let name = match child.key() {
        Some(key) => format!("{}[{key}]", child.name),
        None => child.name.clone(),
    };
    if path.is_empty() { name } else { format!("{path}/{name}") }
}

/// All that an element says, a line each.
fn leaves(element: &Element, path: &str, sign: Sign, lines: &mut Vec<Line>) {
    let before = lines.len();
    let attributes = element.attributes.iter().map(|(name, value)| Line::new(sign, format!("{path}@{name}: {value}")));
    lines.extend(attributes);
    if !element.text.is_empty() {
        lines.push(Line::new(sign, format!("{path}: {}", element.text)));
    }
    element.children.iter().for_each(|child| leaves(child, &join(path, child), sign, lines));
    if lines.len() == before {
        lines.push(Line::new(sign, path));
    }
}

fn quantity(element: &Element) -> String {
    match element.attributes.get("unit") {
        Some(unit) => format!("{} {unit}", element.text),
        None if element.text.is_empty() => "nothing".to_owned(),
        None => element.text.clone(),
    }
}

/// libvirt writes the newest version of a machine type in place of its name, and hardware addresses in small letters.
fn same(element: &str, attribute: &str, seen: &str, wanted: &str) -> bool {
    seen == wanted
        || (element, attribute) == ("mac", "address") && seen.eq_ignore_ascii_case(wanted)
        || (element, attribute) == ("type", "machine") && seen.starts_with(&format!("pc-{wanted}-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(seen: &str, wanted: &str) -> Vec<String> {
        let lines = differences(&parse(seen).unwrap(), &parse(wanted).unwrap());
        lines.iter().map(|line| format!("{} {}", line.sign.mark(), line.text)).collect()
    }

    #[test]
    fn what_libvirt_adds_by_itself_is_no_difference() {
        let seen = "<domain type='kvm' id='3'><memory unit='KiB'>524288</memory><currentMemory unit='KiB'>524288</currentMemory>
            <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><devices><controller type='usb'/>
            <interface type='network'><mac address='52:54:00:AA:bb:cc'/><source network='lan'/><address type='pci'/></interface></devices></domain>";
        let wanted = "<domain type='kvm'><memory unit='MiB'>512</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>
            <devices><interface type='network'><mac address='52:54:00:AA:bb:cc'/><source network='lan'/></interface></devices></domain>";
        assert_eq!(difference(seen, wanted), Vec::<String>::new());
    }

    #[test]
    fn a_difference_is_told_field_by_field() {
        let seen = "<domain><memory unit='KiB'>524288</memory><vcpu>1</vcpu><devices>
            <disk><target dev='vda'/></disk><disk><source file='/x'/><target dev='vdb'/></disk></devices></domain>";
        let wanted = "<domain><memory unit='MiB'>1024</memory><vcpu>2</vcpu><devices>
            <disk><target dev='vda' bus='virtio'/></disk><disk><target dev='vdc'/><readonly/></disk></devices></domain>";
        assert_eq!(
            difference(seen, wanted),
            [
                "~ memory: 524288 KiB -> 1024 MiB",
                "~ vcpu: 1 -> 2",
                "+ devices/disk[vda]/target@bus: virtio",
                "+ devices/disk[vdc]/target@dev: vdc",
                "+ devices/disk[vdc]/readonly",
                "- devices/disk[vdb]/source@file: /x",
                "- devices/disk[vdb]/target@dev: vdb",
            ]
        );
    }

    #[test]
    fn a_closed_network_that_is_forwarded_is_different() {
        let seen = "<network><name>x</name><forward mode='nat'><nat><port start='1'/></nat></forward><mac address='1'/></network>";
        let found = difference(seen, "<network><name>x</name></network>");
        assert!(found.contains(&"- forward@mode: nat".to_owned()), "{found:?}");
    }

    #[test]
    fn half_a_document_is_none() {
        assert!(parse("<domain><name>x</name>").is_err());
        assert!(parse("").is_err());
    }
}
