"""Other programs that train teams of networks. They are fetched by whoever measures, and never kept here."""
