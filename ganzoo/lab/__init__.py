"""The laboratory: a GAN in two dimensions that can be watched line by line in a browser.

    ganzoo lab --export lab.html

It is one page of HTML, CSS and JavaScript without network requests. `programs` translates each loss
of `ganzoo losses` to the Python that the plan writes for it, and the page runs that text line by
line with its own numeric core (`static/`). `page` assembles the files; the demo shows the same
page. `lessons` are texts with settings of the page.
"""
