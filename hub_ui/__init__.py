"""The app: its pages, its commands and the use cases behind them."""
