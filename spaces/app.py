"""The demo of ganzoo as a Hugging Face Space."""

from ganzoo import demo

app = demo.build()

if __name__ == "__main__":
    demo.launch(app, host="0.0.0.0")
