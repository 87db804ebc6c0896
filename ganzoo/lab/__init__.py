"""The laboratory: a GAN in two dimensions that one watches, line by line, in a browser.

    ganzoo lab --export lab.html

One page of HTML, CSS and JavaScript that asks nobody for anything. What it trains is ganzoo's:
`programs` gives it each loss of `ganzoo losses` as the Python that the plan writes for it, and the
page runs that text, line by line, with a numeric core of its own (`static/`). `page` puts the files
together; the demo shows the same page. `lessons` are settings of it with words.
"""
