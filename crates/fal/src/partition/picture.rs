//! A picture of who has what.

use std::fmt::Write;

use experiment::markup::escape;

use super::Partition;

const MARGIN: usize = 16;
const TITLE_HEIGHT: usize = 34;
/// Height of the bars of all samples.
const BARS: usize = 84;
const GAP: usize = 10;
const ROW: usize = 26;
/// Room for the names of clients.
const FOOT: usize = 40;
const WIDEST_COLUMN: usize = 76;
const NARROWEST_COLUMN: usize = 1;
/// Width of all columns together, where they can have it.
const WIDTH: usize = 620;
/// Width from which a number fits into a cell.
const NUMBER: usize = 40;
/// Share of the darkest cell from which white can be read better than black.
const WHITE_ON: f64 = 0.36;
/// Width of a letter.
const LETTER: usize = 8;
const INK: &str = "#222222";
const GREY: &str = "#5F5F5F";
const BAR: &str = "#0072B2";
const TEXT: &str = "font-family=\"sans-serif\" font-size=\"14\"";

impl Partition {
    /// The partition as an SVG: above, the samples of each client; below, a column a client and a row a class, the
    /// darker the more samples. Numbers stand in cells that have room for them.
    pub fn to_svg(&self, title: &str, class_names: &[String]) -> String {
        Picture { partition: self, layout: Layout::of(self, class_names) }.draw(title, class_names)
    }
}

/// Where things stand, in pixels.
struct Layout {
    left: usize,
    column: usize,
    bars: usize,
    cells: usize,
    width: usize,
    height: usize,
}

impl Layout {
    fn of(partition: &Partition, class_names: &[String]) -> Self {
        let clients = partition.len().max(1);
        let column = (WIDTH / clients).clamp(NARROWEST_COLUMN, WIDEST_COLUMN);
        let name = class_names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let left = MARGIN + name.max("samples".len()) * LETTER + GAP;
        let bars = MARGIN + TITLE_HEIGHT;
        let cells = bars + BARS + GAP;
        let classes = partition.counts().first().map_or(0, Vec::len);
        Self {
            left,
            column,
            bars,
            cells,
            width: left + (clients * column).max(240) + MARGIN,
            height: cells + classes * ROW + FOOT,
        }
    }
}

struct Picture<'p> {
    partition: &'p Partition,
    layout: Layout,
}

impl Picture<'_> {
    fn draw(&self, title: &str, class_names: &[String]) -> String {
        let Layout { width, height, left, .. } = self.layout;
        let title = escape(title);
        let mut svg = format!(
            "<svg role=\"img\" aria-label=\"{title}\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" xmlns=\"http://www.w3.org/2000/svg\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#FFFFFF\"/>\n\
             <text x=\"{MARGIN}\" y=\"{}\" font-family=\"sans-serif\" font-size=\"17\" font-weight=\"bold\" fill=\"{INK}\">{title}</text>\n",
            MARGIN + 6
        );
        self.draw_bars(&mut svg);
        for (class, name) in class_names.iter().enumerate() {
            self.draw_class(&mut svg, class, name);
        }
        let y = self.layout.height - FOOT + 28;
        let what = format!("client 0 to {}", self.partition.len().saturating_sub(1));
        line(&mut svg, left, y, "start", GREY, &what);
        svg.push_str("</svg>\n");
        svg
    }

    /// The samples of each client.
    fn draw_bars(&self, svg: &mut String) {
        let Layout { left, column, bars, .. } = self.layout;
        let sizes = self.partition.sizes();
        let most = sizes.iter().copied().max().unwrap_or(0).max(1);
        line(svg, left - GAP, bars + BARS - 4, "end", GREY, "samples");
        // Above the tallest bar there is room for its number.
        let room = BARS - 18;
        for (client, size) in sizes.into_iter().enumerate() {
            let height = (size * room).div_ceil(most);
            let (x, y) = (left + client * column, bars + BARS - height);
            let told = tell(client, &format!("{size} samples"));
            rectangle(svg, (x, y), (inner(column), height), BAR, &told);
            if column >= NUMBER {
                line(svg, x + column / 2, y - 4, "middle", INK, &size.to_string());
            }
        }
    }

    /// What each client has of one class.
    fn draw_class(&self, svg: &mut String, class: usize, name: &str) {
        let Layout { left, column, cells, .. } = self.layout;
        let most = self.partition.counts().iter().flatten().copied().max().unwrap_or(0).max(1);
        let y = cells + class * ROW;
        line(svg, left - GAP, y + 18, "end", INK, &escape(name));
        for (client, counts) in self.partition.counts().iter().enumerate() {
            let count = counts.get(class).copied().unwrap_or(0);
            let share = count as f64 / most as f64;
            let x = left + client * column;
            let told = tell(client, &format!("{count} of {}", escape(name)));
            rectangle(svg, (x, y), (inner(column), ROW - 2), &shade(share), &told);
            if column >= NUMBER {
                let ink = if share > WHITE_ON { "#FFFFFF" } else { INK };
                line(svg, x + column / 2, y + 17, "middle", ink, &count.to_string());
            }
        }
    }
}

/// Width of a cell: columns that are wide enough are set apart.
fn inner(column: usize) -> usize {
    if column > 6 { column - 2 } else { column }
}

fn tell(client: usize, what: &str) -> String {
    format!("client {client}: {what}")
}

/// From near-white to deep blue, in equal steps to the eye.
fn shade(share: f64) -> String {
    let (from, to) = ([247.0, 247.0, 247.0], [8.0, 48.0, 107.0]);
    let share = share.clamp(0.0, 1.0).sqrt();
    let [red, green, blue] =
        [0, 1, 2].map(|index: usize| (from[index] + share * (to[index] - from[index])) as u8);
    format!("#{red:02X}{green:02X}{blue:02X}")
}

fn rectangle(
    svg: &mut String,
    (x, y): (usize, usize),
    (width, height): (usize, usize),
    color: &str,
    told: &str,
) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{color}\"><title>{told}</title></rect>"
    );
}

fn line(svg: &mut String, x: usize, y: usize, anchor: &str, color: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" {TEXT} text-anchor=\"{anchor}\" fill=\"{color}\">{text}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["cat & dog".into(), "<bird>".into()]
    }

    fn partition(clients: usize) -> Partition {
        let labels: Vec<u8> = (0..3 * clients).map(|sample| (sample % 2) as u8).collect();
        let divided = (0..clients).map(|client| (3 * client..3 * client + 3).collect()).collect();
        Partition::new(divided, &labels, 2)
    }

    #[test]
    fn every_client_has_a_bar_and_a_cell_for_each_class() {
        let svg = partition(3).to_svg("who has \"what\"", &names());
        // And the paper.
        assert_eq!(svg.matches("<rect ").count(), 3 * 3 + 1);
        for text in [
            "client 2: 3 samples",
            "client 0: 2 of cat &amp; dog",
            ">&lt;bird&gt;<",
            "client 0 to 2",
        ] {
            assert!(svg.contains(text), "{text}\n{svg}");
        }
        assert!(svg.starts_with("<svg role=\"img\" aria-label=\"who has &quot;what&quot;\""));
        assert!(svg.contains(">2</text>") && svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn a_thousand_clients_fit_without_numbers() {
        let svg = partition(1000).to_svg("many", &names());
        assert_eq!(svg.matches("<rect ").count(), 3001);
        assert_eq!(svg.matches("<text ").count(), 5);
        assert!(svg.contains("width=\"1114\""), "{}", &svg[..120]);
    }

    #[test]
    fn shades_go_from_white_to_blue() {
        assert_eq!((shade(0.0), shade(1.0)), ("#F7F7F7".into(), "#08306B".into()));
        assert_eq!(shade(7.0), shade(1.0));
    }
}
