//! Pages as a browser reads them, flattened.

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// An element of a page.
#[derive(Clone, Debug, Default)]
pub struct Element {
    pub name: String,
    attributes: Vec<(String, String)>,
    /// Its text and that of everything in it.
    pub text: String,
    /// Places of the elements that it is in, the outermost first.
    inside: Vec<usize>,
}

/// Every element of a page, in the order of the page.
pub struct Page(pub Vec<Element>);

impl Page {
    pub fn parse(html: &str) -> Page {
        let dom = parse_document(RcDom::default(), ParseOpts::default()).one(html);
        let mut page = Page(Vec::new());
        page.add(&dom.document, &[]);
        page
    }

    fn add(&mut self, node: &Handle, inside: &[usize]) {
        let mut below = inside.to_vec();
        match &node.data {
            NodeData::Text { contents } => {
                inside.iter().for_each(|&i| self.0[i].text.push_str(&contents.borrow()));
            }
            NodeData::Element { name, attrs, .. } => {
                let attributes =
                    attrs.borrow().iter().map(|a| (a.name.local.to_string(), a.value.to_string())).collect();
                let name = name.local.to_string();
                below.push(self.0.len());
                self.0.push(Element { name, attributes, text: String::new(), inside: inside.to_vec() });
            }
            _ => {}
        }
        node.children.borrow().iter().for_each(|child| self.add(child, &below));
    }

    /// The elements that a selector finds: compounds of a name, `#id` and `.class`, each inside the one before.
    pub fn find(&self, selector: &str) -> Vec<&Element> {
        let compounds: Vec<&str> = selector.split(' ').collect();
        let found = |element: &&Element| {
            let (last, outer) = compounds.split_last().unwrap();
            let mut above = element.inside.iter().map(|&i| &self.0[i]);
            element.is(last) && outer.iter().all(|compound| above.any(|element| element.is(compound)))
        };
        self.0.iter().filter(found).collect()
    }

    pub fn texts(&self, selector: &str) -> Vec<String> {
        self.find(selector).iter().map(|element| element.text.trim().to_owned()).collect()
    }
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|(name, _)| name.as_str())
    }

    fn is(&self, compound: &str) -> bool {
        let end = compound.find(['#', '.']).unwrap_or(compound.len());
        let (name, mut rest) = compound.split_at(end);
        while let Some(mark) = rest.chars().next() {
            let end = rest[1..].find(['#', '.']).map_or(rest.len(), |end| end + 1);
            let word = &rest[1..end];
            let has = match mark {
                '#' => self.attribute("id") == Some(word),
                _ => {
                    self.attribute("class").is_some_and(|classes| classes.split_whitespace().any(|class| class == word))
                }
            };
            if !has {
                return false;
            }
            rest = &rest[end..];
        }
        name.is_empty() || name == self.name
    }
}
