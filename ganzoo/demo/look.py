"""How the demo looks: one modest theme, light and dark, with the fonts of the machine."""

from __future__ import annotations

import gradio as gr

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def theme() -> gr.themes.Base:
    """Base with a quiet teal, thin lines, and no shadows."""
    made = gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=SANS,
        font_mono=MONO,
    )
    made.name = "ganzoo"
    return made.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_shadow="none",
        block_label_background_fill="white",
        block_label_background_fill_dark="*neutral_900",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        slider_color="*primary_600",
    )


CSS = """
.gradio-container { max-width: 1180px !important; margin: 0 auto !important; }
#title { padding: 0.4rem 0.2rem 0; }
#title h1 { font-size: 1.7rem; margin: 0; letter-spacing: -0.02em; }
#title p { margin: 0.15rem 0 0; opacity: 0.75; }
.note { opacity: 0.8; font-size: 0.92rem; }
.note p { margin: 0.2rem 0; }
.examples { --size-full: 100%; }
.examples .grid-wrap { padding: 4px; }
.examples .caption-label { display: none; }
.part { margin-top: 0.6rem; }
.picture img { object-fit: contain; width: 100%; height: auto; border-radius: 6px; }
.katex-display { overflow-x: auto; overflow-y: hidden; padding: 0.3rem 0; }
.prose table { display: block; overflow-x: auto; max-width: 100%; }
.prose pre { overflow-x: auto; }
.verdict { padding: 0.9rem 1rem; }
.verdict .word { font-size: 1.25rem; font-weight: 650; margin-bottom: 0.55rem; }
.verdict .bar { position: relative; height: 14px; border-radius: 7px; }
.verdict .mark { position: absolute; top: -5px; width: 4px; height: 24px; border-radius: 2px;
  background: currentColor; transform: translateX(-2px); }
.verdict .line { position: absolute; top: -3px; width: 0; height: 20px;
  border-left: 2px dashed currentColor; opacity: 0.55; }
.verdict .under { position: relative; height: 1.5rem; font-size: 0.85rem; margin-top: 0.5rem; }
.verdict .under span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
footer { opacity: 0.7; }
@media (max-width: 640px) {
  .gradio-container { padding: 0.5rem !important; }
  #title h1 { font-size: 1.35rem; }
}
"""
