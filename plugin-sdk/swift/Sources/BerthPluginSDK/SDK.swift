// The Swift SDK for Berth plugins.
